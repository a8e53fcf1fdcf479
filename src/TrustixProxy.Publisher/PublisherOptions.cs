using System.Collections.Immutable;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>Configures <c>trustix-proxy publish</c>.</summary>
public sealed record PublisherOptions
{
    /// <summary>The private listener of the log's node: http, https or <c>unix:/path</c>.</summary>
    public required Uri Url { get; init; }

    /// <summary>The write token.</summary>
    public required NixSecretKey Token { get; init; }

    /// <summary>The log's name; null when the node has only one.</summary>
    public string? LogName { get; init; }

    /// <summary>The directory in which hooks leave jobs.</summary>
    public required string SpoolDirectory { get; init; }

    /// <summary>The store of this machine's Guix, whose builds are published; null when hooks of Nix leave jobs.</summary>
    public GuixStore? Guix { get; init; }

    /// <summary>Selects the published paths.</summary>
    public NameFilter Filter { get; init; } = NameFilter.All;

    /// <summary>Whether to publish paths that, by Nix, were not built on this machine.</summary>
    public bool IncludesFetched { get; init; }

    /// <summary>Addresses for health and metrics: <c>http://host:port</c> or <c>unix:/path</c>; none when empty.</summary>
    public ImmutableArray<string> Listen { get; init; } = [];

    /// <summary>Minimum age of a job before Nix is asked in place of the hook's missing description. Default 10 s.</summary>
    public TimeSpan DescriptionWait { get; init; } = TimeSpan.FromSeconds(10);
}
