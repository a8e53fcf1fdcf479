using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using TrustixProxy.IO.Connections;
using TrustixProxy.Substituter.Pipelining;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Configures Kestrel's endpoints (TCP, unix, systemd) and per-connection limits.</summary>
internal static class Listeners
{
    private const string UnixPrefix = "unix:";

    /// <summary>Whether systemd passes listening sockets. Source: sd_listen_fds(3).</summary>
    public static bool ArePassed =>
        Environment.GetEnvironmentVariable("LISTEN_PID") == Environment.ProcessId.ToString(CultureInfo.InvariantCulture)
        && int.TryParse(Environment.GetEnvironmentVariable("LISTEN_FDS"), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            && count > 0;

    /// <summary>Listens at the configured addresses, or at sockets passed by systemd.</summary>
    /// <param name="options">The proxy's configuration.</param>
    /// <param name="current">Returns the options for a new connection.</param>
    /// <param name="gate">Bounds connections.</param>
    public static void Configure(
        KestrelServerOptions kestrel, FrontDoorOptions options, Func<FrontDoorOptions> current, ConnectionGate gate)
    {
        kestrel.AddServerHeader = false;
        Limit(kestrel.Limits, options);
        if (ArePassed)
        {
            kestrel.UseSystemd(listen => Guard(listen, gate, options.Certificate is not null, current, options.HeaderTimeout));
            return;
        }

        foreach (var address in options.Listen)
        {
            Listen(kestrel, address, current, gate, options.HeaderTimeout);
        }
    }

    private static void Limit(KestrelServerLimits limits, FrontDoorOptions options)
    {
        (limits.MaxRequestLineSize, limits.MaxRequestHeadersTotalSize, limits.MaxRequestHeaderCount, limits.MaxRequestBodySize) = (
            RequestHead.MaxRequestLine, RequestHead.MaxHeaders, RequestHead.MaxHeaderCount, 0);
        limits.Http2.MaxRequestHeaderFieldSize = RequestHead.MaxHeaders;
        limits.LimitTimes(options.LimitConnections(Timeout.InfiniteTimeSpan));
    }

    private static void Listen(
        KestrelServerOptions kestrel, string address, Func<FrontDoorOptions> current, ConnectionGate gate, TimeSpan handshake)
    {
        if (address.StartsWith(UnixPrefix, StringComparison.Ordinal))
        {
            var path = address[UnixPrefix.Length..];
            SocketFile.IsTaken(path); // if it is, listening says so
            kestrel.ListenUnixSocket(path, listen => Guard(listen, gate, isTls: false, current, handshake));
            return;
        }

        var url = new Uri(address);
        void Configure(ListenOptions listen) => Guard(listen, gate, url.Scheme is "https", current, handshake);
        if (IPAddress.TryParse(url.IdnHost, out var ip))
        {
            kestrel.Listen(ip, url.Port, Configure);
        }
        else
        {
            kestrel.ListenLocalhost(url.Port, Configure);
        }
    }

    private static void Guard(ListenOptions listen, ConnectionGate gate, bool isTls, Func<FrontDoorOptions> current, TimeSpan handshake)
    {
        listen.UseGate(gate);
        if (isTls)
        {
            listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                HandshakeTimeout = handshake,
                OnConnection = connection => ValueTask.FromResult(OptionsOf(connection, current())),
            });
        }

        listen.CloseSilent(gate);
        listen.Use(next => connection => PipelinedConnection.ServeAsync(connection, next));
    }

    private static SslServerAuthenticationOptions OptionsOf(TlsHandshakeCallbackContext handshake, FrontDoorOptions options)
    {
        var tls = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = options.Certificate!.Context,
            ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        };
        if (options.ClientCertificates is not null)
        {
            ShownCertificate.Request(tls, handshake.Connection.Features);
        }

        return tls;
    }
}
