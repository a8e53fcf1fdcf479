using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace TrustixProxy.IO.Connections;

/// <summary>Puts the bounds on connections before what a server does with them.</summary>
public static class GuardedListeners
{
    /// <summary>Has a listener's connections counted.</summary>
    public static void UseGate(this ListenOptions listen, ConnectionGate gate) =>
        listen.Use(next => connection => gate.ServeAsync(connection, next));

    /// <summary>Closes connections that say nothing; to be used after TLS, where there is TLS.</summary>
    public static void CloseSilent(this ListenOptions listen, ConnectionGate gate) => listen.Use(next => async connection =>
    {
        if ((await gate.PeekAsync(connection, 1)).Length > 0)
        {
            await next(connection);
        }
    });

    /// <summary>Limits what a connection may take beside its first byte: headers, bodies, idleness, and slow reading.</summary>
    public static void LimitTimes(this KestrelServerLimits server, ConnectionLimits limits)
    {
        (server.RequestHeadersTimeout, server.KeepAliveTimeout) = (limits.HeaderTimeout, limits.IdleTimeout);
        server.MinRequestBodyDataRate = server.MinResponseDataRate = new MinDataRate(limits.LeastBytesPerSecond, limits.Grace);
    }
}
