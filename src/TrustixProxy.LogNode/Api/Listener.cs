using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace TrustixProxy.LogNode.Api;

/// <summary>Where a request came in.</summary>
/// <param name="IsPrivate">Whether writes are taken there.</param>
/// <param name="IsLocal">Whether only this machine reaches it.</param>
internal sealed record Listener(bool IsPrivate, bool IsLocal)
{
    private static readonly object Item = new();

    /// <summary>Where <paramref name="http"/> came in; a public place when nothing was said of it.</summary>
    public static Listener Of(HttpContext http) =>
        http.Features.Get<IConnectionItemsFeature>()?.Items.TryGetValue(Item, out var listener) is true ? (Listener)listener! : new Listener(false, false);

    /// <summary>Listens at <paramref name="address"/>, <c>http://host:port</c> or <c>unix:/path</c>, for HTTP/1.1 and for HTTP/2 without TLS.</summary>
    public static void Add(KestrelServerOptions kestrel, string address, bool isPrivate)
    {
        kestrel.AllowAlternateSchemes = true; // HTTP/2 without TLS says "http", whatever the connection below looks like
        if (address.StartsWith("unix:", StringComparison.Ordinal))
        {
            var path = address["unix:".Length..];
            RemoveDeadSocket(path);
            kestrel.ListenUnixSocket(path, options => Configure(options, new Listener(isPrivate, IsLocal: true)));
            return;
        }

        var url = new Uri(address);
        if (IPAddress.TryParse(url.IdnHost, out var ip))
        {
            kestrel.Listen(ip, url.Port, options => Configure(options, new Listener(isPrivate, IPAddress.IsLoopback(ip))));
        }
        else if (url.Host is "localhost")
        {
            kestrel.ListenLocalhost(url.Port, options => Configure(options, new Listener(isPrivate, IsLocal: true)));
        }
        else
        {
            kestrel.ListenAnyIP(url.Port, options => Configure(options, new Listener(isPrivate, IsLocal: false)));
        }
    }

    /// <summary>Removes the socket that a process left behind when it was killed: the system would not let anyone listen there again. One that somebody listens at stays.</summary>
    private static void RemoveDeadSocket(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.ConnectionRefused)
        {
            File.Delete(path);
        }
        catch (Exception exception) when (exception is SocketException or ArgumentOutOfRangeException)
        {
            // There is none, or one that is not ours: listening says why it cannot be.
        }
    }

    private static void Configure(ListenOptions options, Listener listener)
    {
        options.Protocols = HttpProtocols.Http1AndHttp2;
        options.Use(next => async connection =>
        {
            connection.Items[Item] = listener;
            if (await BeginsWithPrefaceAsync(connection))
            {
                // Kestrel speaks HTTP/2 on a mixed port only where TLS has agreed on it; the preface says as much.
                var agreed = new Http2Agreed();
                connection.Features.Set<ITlsConnectionFeature>(agreed);
                connection.Features.Set<ITlsApplicationProtocolFeature>(agreed);
            }

            await next(connection);
        });
    }

    /// <summary>Whether the connection begins as HTTP/2 does (RFC 9113, section 3.4); nothing is taken out of it.</summary>
    private static async Task<bool> BeginsWithPrefaceAsync(ConnectionContext connection)
    {
        while (true)
        {
            var read = await connection.Transport.Input.ReadAsync(connection.ConnectionClosed);
            var isEnough = read.Buffer.Length >= 3;
            var isPreface = isEnough && read.Buffer.Slice(0, 3).ToArray().AsSpan().SequenceEqual("PRI"u8);
            connection.Transport.Input.AdvanceTo(read.Buffer.Start, isEnough ? read.Buffer.Start : read.Buffer.End);
            if (isEnough || read.IsCompleted)
            {
                return isPreface;
            }
        }
    }

    private sealed class Http2Agreed : ITlsConnectionFeature, ITlsApplicationProtocolFeature
    {
        public X509Certificate2? ClientCertificate { get; set; }

        public ReadOnlyMemory<byte> ApplicationProtocol { get; } = "h2"u8.ToArray();

        public Task<X509Certificate2?> GetClientCertificateAsync(CancellationToken cancellationToken) => Task.FromResult<X509Certificate2?>(null);
    }
}
