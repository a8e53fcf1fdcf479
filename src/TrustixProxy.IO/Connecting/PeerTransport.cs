using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;

namespace TrustixProxy.IO.Connecting;

/// <summary>Sends HTTP requests to one peer: directly, by <see cref="HappyEyeballs"/>, or through an HTTP proxy. Does not follow
/// redirects.</summary>
/// <remarks>
/// <code>
/// request ──HttpProxies──▶ none:    the peer's own addresses, filtered by <see cref="Admit"/>
///                        ▶ a proxy: the proxy's addresses; CONNECT for https, absolute-form for http; it alone gets its credentials
/// </code>
/// A failure is the proxy's if it is <see cref="HttpRequestError.ProxyTunnelError"/>, else the peer's. The innermost exception is the
/// first cause.</remarks>
public sealed class PeerTransport : HttpMessageHandler
{
    private readonly HttpProxies _proxies;
    private readonly HappyEyeballs _connecting;
    private readonly int _maxHeaders;
    private readonly string? _socket;
    private readonly ConcurrentDictionary<Way, HttpMessageInvoker> _ways = new();

    /// <param name="proxies">Selects the proxy.</param>
    /// <param name="maxHeaders">Maximum size of a response's headers, in KiB.</param>
    /// <param name="connecting">Connects; by sockets when null.</param>
    public PeerTransport(HttpProxies proxies, TimeProvider time, int maxHeaders = 64, HappyEyeballs? connecting = null) =>
        (_proxies, _maxHeaders, _connecting) = (proxies, maxHeaders, connecting ?? new HappyEyeballs(time));

    private PeerTransport(string socket, int maxHeaders)
        : this(HttpProxies.None, TimeProvider.System, maxHeaders) => _socket = socket;

    /// <summary>Filters the addresses that may be connected to directly; all when null. It throws when it admits none.</summary>
    public Func<DnsEndPoint, IPAddress[], IPAddress[]>? Admit { get; init; }

    /// <summary>Who we are to the peer, and who vouches for it; null for nobody, and whom this machine trusts.</summary>
    public PeerTls? Tls { get; init; }

    /// <summary>Sends requests to a unix socket, whatever their URL.</summary>
    public static PeerTransport ToSocket(string path, int maxHeaders = 64) => new(path, maxHeaders);

    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var proxy = _proxies.For(request.RequestUri!);
        request.Headers.ProxyAuthorization = request.RequestUri!.Scheme is "http" ? proxy?.Authorization : null;
        var way = _ways.GetOrAdd(new Way(proxy, Tls?.IsOf(request.RequestUri) is true), Open);
        return proxy is null ? await way.SendAsync(request, cancellationToken) : await SendAsync(request, proxy, way, cancellationToken);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _ways.Values.ToList().ForEach(way => way.Dispose());
        }

        base.Dispose(disposing);
    }

    private static async Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request, HttpProxy proxy, HttpMessageInvoker way, CancellationToken cancellation)
    {
        try
        {
            var response = await way.SendAsync(request, cancellation);
            if (response.StatusCode is not HttpStatusCode.ProxyAuthenticationRequired)
            {
                return response;
            }

            response.Dispose();
            throw new HttpRequestException(
                HttpRequestError.ProxyTunnelError,
                $"The HTTP proxy {proxy} requires credentials and rejects those it is sent.",
                statusCode: HttpStatusCode.ProxyAuthenticationRequired);
        }
        catch (HttpRequestException exception)
            when (exception.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError)
        {
            throw new HttpRequestException(HttpRequestError.ProxyTunnelError,
                $"The HTTP proxy {proxy} cannot be reached: {exception.GetBaseException().Message}", exception);
        }
    }

    private HttpMessageInvoker Open(Way way)
    {
        var sockets = Sockets(way.Proxy is { } proxy
            ? (context, cancellation) => ConnectToProxyAsync(proxy, context.DnsEndPoint, cancellation)
            : (context, cancellation) => ConnectAsync(context.DnsEndPoint, cancellation));
        (sockets.UseProxy, sockets.Proxy) = (way.Proxy is not null, Tls is null ? way.Proxy : way.Proxy?.InTls);
        sockets.SslOptions = Tls?.ToOptions(way.IsOwn) ?? sockets.SslOptions;
        return new HttpMessageInvoker(sockets);
    }

    private ValueTask<Stream> ConnectAsync(DnsEndPoint peer, CancellationToken cancellation) => _socket is not null
        ? PooledConnection.ConnectAsync(_socket, cancellation)
        : _connecting.ConnectAsync(peer, addresses => Admit?.Invoke(peer, addresses) ?? addresses, cancellation);

    /// <summary>Connects only to the proxy. What is agreed with the peer in TLS is not used with the proxy.</summary>
    private async ValueTask<Stream> ConnectToProxyAsync(HttpProxy proxy, DnsEndPoint place, CancellationToken cancellation)
    {
        var stream = await _connecting.ConnectAsync(place, null, cancellation);
        if (Tls is null || proxy.Address.Scheme is not "https")
        {
            return stream;
        }

        var tls = new SslStream(stream);
        try
        {
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = proxy.Address.IdnHost }, cancellation);
            return tls;
        }
        catch (AuthenticationException exception)
        {
            await tls.DisposeAsync();
            throw new HttpRequestException(HttpRequestError.ProxyTunnelError,
                $"The HTTP proxy {proxy} has no certificate that this machine trusts: {exception.Message}", exception);
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    private SocketsHttpHandler Sockets(Func<SocketsHttpConnectionContext, CancellationToken, ValueTask<Stream>> connect) => new()
    {
        ActivityHeadersPropagator = null,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectCallback = connect,
        ConnectTimeout = TimeSpan.FromSeconds(15), // with TLS and a proxy's tunnel; connecting alone has a limit of its own
        MaxResponseHeadersLength = _maxHeaders,
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        UseCookies = false,
        UseProxy = false,
    };

    /// <param name="Proxy">The proxy; null without one.</param>
    /// <param name="IsOwn">Whether it leads to the peer that <see cref="Tls"/> is for.</param>
    private readonly record struct Way(HttpProxy? Proxy, bool IsOwn);
}
