using System.Collections.Immutable;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>What <c>trustix-proxy publish</c> is told.</summary>
public sealed record PublisherOptions
{
    /// <summary>The private listener of the log's node: http, https or <c>unix:/path</c>.</summary>
    public required Uri Url { get; init; }

    /// <summary>The write token.</summary>
    public required NixSecretKey Token { get; init; }

    /// <summary>The log's name; null when the node has only one.</summary>
    public string? LogName { get; init; }

    /// <summary>Where the hooks leave their jobs.</summary>
    public required string SpoolDirectory { get; init; }

    /// <summary>Which paths are published.</summary>
    public NameFilter Filter { get; init; } = NameFilter.All;

    /// <summary>Whether what Nix says was not built on this machine is published too.</summary>
    public bool IncludesFetched { get; init; }

    /// <summary>Where it shows how it fares: <c>http://host:port</c> or <c>unix:/path</c>; nowhere when empty.</summary>
    public ImmutableArray<string> Listen { get; init; } = [];

    /// <summary>How old a job has to be for Nix to be asked, when the hook's own description has not come. Default 10 s.</summary>
    public TimeSpan DescriptionWait { get; init; } = TimeSpan.FromSeconds(10);
}
