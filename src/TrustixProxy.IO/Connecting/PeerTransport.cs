using System.Collections.Concurrent;
using System.Net;

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
    private readonly HttpMessageInvoker _direct;
    private readonly ConcurrentDictionary<HttpProxy, HttpMessageInvoker> _proxied = new();

    /// <param name="proxies">Selects the proxy.</param>
    /// <param name="maxHeaders">Maximum size of a response's headers, in KiB.</param>
    /// <param name="connecting">Connects; by sockets when null.</param>
    public PeerTransport(HttpProxies proxies, TimeProvider time, int maxHeaders = 64, HappyEyeballs? connecting = null)
    {
        (_proxies, _maxHeaders, _connecting) = (proxies, maxHeaders, connecting ?? new HappyEyeballs(time));
        _direct = new HttpMessageInvoker(Sockets((context, cancellation) =>
            _connecting.ConnectAsync(
                context.DnsEndPoint, addresses => Admit?.Invoke(context.DnsEndPoint, addresses) ?? addresses, cancellation)));
    }

    private PeerTransport(string socket, int maxHeaders)
    {
        (_proxies, _maxHeaders, _connecting) = (HttpProxies.None, maxHeaders, new HappyEyeballs(TimeProvider.System));
        _direct = new HttpMessageInvoker(Sockets((_, cancellation) => PooledConnection.ConnectAsync(socket, cancellation)));
    }

    /// <summary>Filters the addresses that may be connected to directly; all when null. It throws when it admits none.</summary>
    public Func<DnsEndPoint, IPAddress[], IPAddress[]>? Admit { get; init; }

    /// <summary>Sends requests to a unix socket, whatever their URL.</summary>
    public static PeerTransport ToSocket(string path, int maxHeaders = 64) => new(path, maxHeaders);

    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var proxy = _proxies.For(request.RequestUri!);
        request.Headers.ProxyAuthorization = request.RequestUri!.Scheme is "http" ? proxy?.Authorization : null;
        return proxy is null ? await _direct.SendAsync(request, cancellationToken) : await SendAsync(request, proxy, cancellationToken);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _direct.Dispose();
            _proxied.Values.ToList().ForEach(proxied => proxied.Dispose());
        }

        base.Dispose(disposing);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, HttpProxy proxy, CancellationToken cancellation)
    {
        try
        {
            var response = await _proxied.GetOrAdd(proxy, Through).SendAsync(request, cancellation);
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

    /// <summary>Creates the sender that connects only to the proxy.</summary>
    private HttpMessageInvoker Through(HttpProxy proxy)
    {
        var sockets = Sockets((context, cancellation) => _connecting.ConnectAsync(context.DnsEndPoint, null, cancellation));
        (sockets.UseProxy, sockets.Proxy) = (true, proxy);
        return new HttpMessageInvoker(sockets);
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
}
