using System.Net;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Logs.Client;

/// <summary>Creates the HTTP client of one log: no redirects, no cookies, no decompression (proofs are random bytes).</summary>
public static class LogTransport
{
    /// <summary>Creates the client of a log that consists of static files.</summary>
    /// <param name="url">http, https, or file: a folder.</param>
    /// <param name="network">Sends requests; sockets when null.</param>
    /// <param name="proxies">Selects the HTTP proxy; none when null.</param>
    /// <param name="tls">Who we are to it, and who vouches for it.</param>
    public static HttpClient OfFiles(Uri url, HttpMessageHandler? network, HttpProxies? proxies = null, PeerTls? tls = null)
    {
        var files = url.IsFile
            ? new HttpClient(new FolderTransport(url.LocalPath)) { BaseAddress = FolderTransport.Base, Timeout = Timeout.InfiniteTimeSpan }
            : Create(url, network, proxies, tls);
        return new HttpClient(new ExportedLog(files)) { BaseAddress = FolderTransport.Base, Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>Creates the client of a log node.</summary>
    /// <param name="url">http, https, or <c>unix:/path/of/socket</c>.</param>
    /// <param name="network">Sends requests; sockets when null.</param>
    /// <param name="proxies">Selects the HTTP proxy; none when null.</param>
    /// <param name="tls">Who we are to it, and who vouches for it.</param>
    public static HttpClient Create(Uri url, HttpMessageHandler? network, HttpProxies? proxies = null, PeerTls? tls = null)
    {
        const int maxHeaders = 16;
        var isUnix = url.Scheme is "unix";
        HttpMessageHandler transport = network ?? (isUnix
            ? PeerTransport.ToSocket(Uri.UnescapeDataString(url.AbsolutePath), maxHeaders)
            : new PeerTransport(proxies ?? HttpProxies.None, TimeProvider.System, maxHeaders) { Tls = tls });
        return new HttpClient(transport, disposeHandler: network is null)
        {
            BaseAddress = isUnix ? new Uri("http://localhost/") : new Uri(url.AbsoluteUri.TrimEnd('/') + "/"),
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }
}
