using System.Collections.Immutable;
using TrustixProxy.IO.Connections;
using TrustixProxy.LogNode.Storage;

namespace TrustixProxy.LogNode.Hosting;

/// <summary>All that the log node is told. Values are checked where they are read: these are good.</summary>
public sealed record LogNodeOptions
{
    /// <summary>Addresses that anyone may read from: <c>http://host:port</c> or <c>unix:/path</c>.</summary>
    public required ImmutableArray<string> Listen { get; init; }

    /// <summary>Addresses that publishers write to, and may read from.</summary>
    public required ImmutableArray<string> PrivateListen { get; init; }

    /// <summary>How many connections the public addresses serve at once, and how many the private ones; no limit when null.</summary>
    public int? Connections { get; init; }

    /// <summary>How many of them one client may have; no limit when null.</summary>
    public int? ConnectionsPerClient { get; init; }

    /// <summary>How long a request's headers may take, and a connection's first byte.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Where the logs' files are; exists and is writable.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>The logs.</summary>
    public required ImmutableArray<HostedLogOptions> Logs { get; init; }

    /// <summary>Whether tokens of the reference's form, which can be replayed, are accepted; null for loopback and unix listeners
    /// only.</summary>
    public bool? ReferenceTokens { get; init; }

    /// <summary>How long a submitted item waits for its head at the most, unless 500 have come before; zero: it is answered under its
    /// head.</summary>
    public TimeSpan FlushInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the map root of a superseded head stays answerable; zero for ever.</summary>
    public TimeSpan HistoryWindow { get; init; } = TimeSpan.FromHours(1);

    /// <summary>What bounds the connections of the public addresses, and of the private ones.</summary>
    internal ConnectionLimits ConnectionLimits =>
        new() { Connections = Connections, PerClient = ConnectionsPerClient, HeaderTimeout = HeaderTimeout };
}
