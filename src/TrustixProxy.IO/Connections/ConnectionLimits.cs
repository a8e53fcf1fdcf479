using System.Net;
using TrustixProxy.Native;

namespace TrustixProxy.IO.Connections;

/// <summary>Limits a listener's connections and their times.</summary>
public sealed record ConnectionLimits
{
    /// <summary>Maximum default, whatever the system allows: an idle connection takes about 10 kB.</summary>
    public const int MostByDefault = 16_384;

    /// <summary>Maximum number of concurrent connections; no limit when null.</summary>
    public int? Connections { get; init; }

    /// <summary>Maximum number per client, waiting ones included; no limit when null. Unix sockets and <see cref="Proxies"/> are
    /// exempt.</summary>
    public int? PerClient { get; init; }

    /// <summary>Maximum number of connections that wait for room. The system's limit on open files bounds it further.</summary>
    public int Waiting { get; init; } = 10_000;

    /// <summary>Maximum wait for room.</summary>
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Maximum time for a client's first byte, for the TLS handshake, and for a request's headers.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Maximum idle time between requests, for HTTP/1 and HTTP/2 alike.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Minimum rate, in bytes per second, at which a client must send a body and read a response.</summary>
    public int LeastBytesPerSecond { get; init; } = 1000;

    /// <summary>How far a client may fall behind that rate.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Proxies that forward many clients from few addresses.</summary>
    public IReadOnlyCollection<IPNetwork> Proxies { get; init; } = [];

    /// <summary>The default of <c>limits.connections</c>: half of the open files that the system allows.</summary>
    /// <remarks>A request may need an upstream connection and a file. The other half is for those, for logs, and for waiting
    /// connections.</remarks>
    public static int Default => Math.Clamp(SystemCalls.OpenFiles / 2, 16, MostByDefault);

    /// <summary>Maximum number of waiting connections that leaves enough files for those served.</summary>
    public int MostWaiting { get; } = SystemCalls.OpenFiles / 8;
}
