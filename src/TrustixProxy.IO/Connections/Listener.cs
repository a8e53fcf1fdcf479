using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace TrustixProxy.IO.Connections;

/// <summary>The listener over which a request came in.</summary>
/// <param name="IsPrivate">Whether it accepts writes.</param>
/// <param name="IsLocal">Whether only this machine can reach it.</param>
public sealed record Listener(bool IsPrivate, bool IsLocal)
{
    private static readonly object Item = new();

    /// <summary>The preface of an HTTP/2 connection (RFC 9113, section 3.4).</summary>
    private static ReadOnlySpan<byte> Preface => "PRI"u8;

    /// <summary>Returns the listener of <paramref name="http"/>; a public one when unknown.</summary>
    public static Listener Of(HttpContext http) =>
        http.Features.Get<IConnectionItemsFeature>()?.Items.TryGetValue(Item, out var listener) is true ? (Listener)listener!
            : new Listener(false, false);

    /// <summary>Listens at <paramref name="address"/>, <c>http://host:port</c> or <c>unix:/path</c>, for HTTP/1.1 and for HTTP/2 without
    /// TLS.</summary>
    public static void Add(KestrelServerOptions kestrel, string address, bool isPrivate, ConnectionGate gate)
    {
        kestrel.AllowAlternateSchemes = true; // HTTP/2 without TLS says "http", whatever the transport
        if (address.StartsWith("unix:", StringComparison.Ordinal))
        {
            var path = address["unix:".Length..];
            SocketFile.IsTaken(path); // if it is in use, binding reports that
            kestrel.ListenUnixSocket(path, options => Configure(options, new Listener(isPrivate, IsLocal: true), gate));
            return;
        }

        var url = new Uri(address);
        if (IPAddress.TryParse(url.IdnHost, out var ip))
        {
            kestrel.Listen(ip, url.Port, options => Configure(options, new Listener(isPrivate, IPAddress.IsLoopback(ip)), gate));
        }
        else if (url.Host is "localhost")
        {
            kestrel.ListenLocalhost(url.Port, options => Configure(options, new Listener(isPrivate, IsLocal: true), gate));
        }
        else
        {
            kestrel.ListenAnyIP(url.Port, options => Configure(options, new Listener(isPrivate, IsLocal: false), gate));
        }
    }

    private static void Configure(ListenOptions options, Listener listener, ConnectionGate gate)
    {
        options.Protocols = HttpProtocols.Http1AndHttp2;
        options.UseGate(gate);
        options.Use(next => async connection =>
        {
            connection.Items[Item] = listener;
            var first = await gate.PeekAsync(connection, Preface.Length);
            if (first.Length is 0)
            {
                return; // silent for too long, or gone
            }

            if (first.AsSpan().SequenceEqual(Preface))
            {
                // Kestrel serves HTTP/2 on a mixed port only if TLS negotiated it; the preface replaces that.
                var agreed = new Http2Agreed();
                connection.Features.Set<ITlsConnectionFeature>(agreed);
                connection.Features.Set<ITlsApplicationProtocolFeature>(agreed);
            }

            await next(connection);
        });
    }

    private sealed class Http2Agreed : ITlsConnectionFeature, ITlsApplicationProtocolFeature
    {
        public X509Certificate2? ClientCertificate { get; set; }

        public ReadOnlyMemory<byte> ApplicationProtocol { get; } = "h2"u8.ToArray();

        public Task<X509Certificate2?> GetClientCertificateAsync(CancellationToken cancellationToken) =>
            Task.FromResult<X509Certificate2?>(null);
    }
}
