using System.Net;
using TrustixProxy.Substituter.Upstreams;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Makes the HTTP client of one log: no redirects, no cookies, no decompression (proofs are random bytes).</summary>
internal static class LogTransport
{
    /// <param name="url">http, https, or <c>unix:/path/of/socket</c>.</param>
    /// <param name="network">What carries its requests; sockets when null.</param>
    public static HttpClient Create(Uri url, HttpMessageHandler? network)
    {
        var handler = new SocketsHttpHandler
        {
            ActivityHeadersPropagator = null,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            MaxResponseHeadersLength = 16,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            UseCookies = false,
        };
        var isUnix = url.Scheme is "unix";
        handler.UseProxy = !isUnix;
        handler.ConnectCallback = (context, cancellation) => isUnix ? PooledConnection.ConnectAsync(url.AbsolutePath, cancellation) : PooledConnection.ConnectAsync(context.DnsEndPoint, cancellation);

        return new HttpClient(network ?? handler, disposeHandler: network is null)
        {
            BaseAddress = isUnix ? new Uri("http://localhost/") : new Uri(url.AbsoluteUri.TrimEnd('/') + "/"),
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }
}
