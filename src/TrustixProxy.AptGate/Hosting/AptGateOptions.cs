using System.Collections.Immutable;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Rebuilders;
using TrustixProxy.AptGate.Releases;
using TrustixProxy.AptGate.Storage;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connections;
using TrustixProxy.Nix;

namespace TrustixProxy.AptGate.Hosting;

/// <summary>Configures <c>trustix-proxy apt serve</c>.</summary>
public sealed record AptGateOptions
{
    /// <summary>Addresses for clients: <c>http://host:port</c> or <c>unix:/path</c>.</summary>
    public required ImmutableArray<string> Listen { get; init; }

    /// <summary>Addresses of the operations listener; none when empty.</summary>
    public ImmutableArray<string> OperationsListen { get; init; } = [];

    /// <summary>Host names that the operations listener accepts, beside this machine's own.</summary>
    public ImmutableArray<string> OperationsHosts { get; init; } = [];

    /// <summary>An existing folder for decisions and for what indexes say.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>The key whose MAC kept decisions carry.</summary>
    public required NixSecretKey SigningKey { get; init; }

    /// <summary>The archives, with unique names.</summary>
    public required ImmutableArray<ArchiveOptions> Archives { get; init; }

    /// <summary>The rebuilders; the policy's electors are theirs.</summary>
    public required ImmutableArray<RebuilderOptions> Rebuilders { get; init; }

    /// <summary>The rules.</summary>
    public required Policy Policy { get; init; }

    /// <summary>The store of files.</summary>
    public required FileStoreOptions Store { get; init; }

    /// <summary>Maximum time to wait for rebuilders. Default 10 s.</summary>
    public TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Limits on client connections.</summary>
    public ConnectionLimits Connections { get; init; } =
        new() { Connections = ConnectionLimits.Default, PerClient = ConnectionLimits.Default / 2 };

    /// <summary>Submits served Release files to a log; null without one. It throws when the log does not take them.</summary>
    public Func<IReadOnlyList<ServedRelease>, CancellationToken, Task>? Submit { get; init; }

    /// <summary>The folder of the database of indexes.</summary>
    public string IndexDirectory => Path.Combine(StateDirectory, "indexes");
}
