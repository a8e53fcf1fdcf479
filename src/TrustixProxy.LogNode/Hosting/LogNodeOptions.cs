using System.Collections.Immutable;
using TrustixProxy.IO.Connections;
using TrustixProxy.LogNode.Storage;

namespace TrustixProxy.LogNode.Hosting;

/// <summary>Configures the log node. The configuration reader has validated all values.</summary>
public sealed record LogNodeOptions
{
    /// <summary>Public read addresses: <c>http://host:port</c> or <c>unix:/path</c>.</summary>
    public required ImmutableArray<string> Listen { get; init; }

    /// <summary>Addresses for publishers' writes; reads work too.</summary>
    public required ImmutableArray<string> PrivateListen { get; init; }

    /// <summary>Maximum concurrent connections of the public addresses, and separately of the private ones; no limit when null.</summary>
    public int? Connections { get; init; }

    /// <summary>Maximum connections per client; no limit when null.</summary>
    public int? ConnectionsPerClient { get; init; }

    /// <summary>Maximum time for a request's headers, and for a connection's first byte.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>An existing, writable directory for the logs' files.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>The hosted logs.</summary>
    public required ImmutableArray<HostedLogOptions> Logs { get; init; }

    /// <summary>Whether to accept tokens of the reference's form, which can be replayed; null for loopback and unix listeners
    /// only.</summary>
    public bool? ReferenceTokens { get; init; }

    /// <summary>Maximum wait of a submitted item for its head, unless 500 are queued; zero answers after the head is signed.</summary>
    public TimeSpan FlushInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the map of a superseded head can be queried; zero for ever.</summary>
    public TimeSpan HistoryWindow { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Sends the requests to witnesses; sockets when null.</summary>
    public HttpMessageHandler? Network { get; init; }

    /// <summary>Limits the connections of the public addresses, and separately of the private ones.</summary>
    internal ConnectionLimits ConnectionLimits =>
        new() { Connections = Connections, PerClient = ConnectionsPerClient, HeaderTimeout = HeaderTimeout };
}
