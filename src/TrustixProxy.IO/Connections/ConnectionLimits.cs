using System.Net;
using TrustixProxy.Native;

namespace TrustixProxy.IO.Connections;

/// <summary>How many connections a listener serves, and how long each may take.</summary>
public sealed record ConnectionLimits
{
    /// <summary>The most connections that the default allows, whatever the system does: an idle one takes about 10 kB.</summary>
    public const int MostByDefault = 16_384;

    /// <summary>How many connections are served at once; no limit when null.</summary>
    public int? Connections { get; init; }

    /// <summary>How many of them one client may have, those that wait included; no limit when null. Unix sockets and <see cref="Proxies"/>
    /// are exempt.</summary>
    public int? PerClient { get; init; }

    /// <summary>How many connections wait for room. The files that the system allows bound it further.</summary>
    public int Waiting { get; init; } = 10_000;

    /// <summary>How long a connection waits for room.</summary>
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a client may take for its first byte, for the TLS handshake, and for the headers of a request.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a connection may be idle between requests, HTTP/1 and HTTP/2 alike.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How many bytes a second a client has to send of a body, and take of an answer.</summary>
    public int LeastBytesPerSecond { get; init; } = 1000;

    /// <summary>How far behind that rate it may be.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Proxies that bring many clients over few addresses.</summary>
    public IReadOnlyCollection<IPNetwork> Proxies { get; init; } = [];

    /// <summary>What <c>limits.connections</c> is where the configuration does not say: half of what the system lets us open.</summary>
    /// <remarks>An answer may need a connection to an upstream and a file; the other half is for those, for logs, and for connections that
    /// wait.</remarks>
    public static int Default => Math.Clamp(SystemCalls.OpenFiles / 2, 16, MostByDefault);

    /// <summary>How many connections may wait, so that they leave files for what is served.</summary>
    public int MostWaiting { get; } = SystemCalls.OpenFiles / 8;
}
