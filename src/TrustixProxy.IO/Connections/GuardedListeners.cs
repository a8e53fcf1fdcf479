using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace TrustixProxy.IO.Connections;

/// <summary>Applies connection limits to a server's listeners.</summary>
public static class GuardedListeners
{
    /// <summary>Counts a listener's connections in the gate.</summary>
    public static void UseGate(this ListenOptions listen, ConnectionGate gate) =>
        listen.Use(next => connection => gate.ServeAsync(connection, next));

    /// <summary>Closes silent connections; apply it after TLS, where there is TLS.</summary>
    public static void CloseSilent(this ListenOptions listen, ConnectionGate gate) => listen.Use(next => async connection =>
    {
        if ((await gate.PeekAsync(connection, 1)).Length > 0)
        {
            await next(connection);
        }
    });

    /// <summary>Limits a connection's headers, bodies, idle time, and slow reading.</summary>
    public static void LimitTimes(this KestrelServerLimits server, ConnectionLimits limits)
    {
        (server.RequestHeadersTimeout, server.KeepAliveTimeout) = (limits.HeaderTimeout, limits.IdleTimeout);
        server.MinRequestBodyDataRate = server.MinResponseDataRate = new MinDataRate(limits.LeastBytesPerSecond, limits.Grace);
    }
}
