using System.Net.Http.Headers;
using TrustixProxy.IO.Buckets;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Creates the HTTP handler of one upstream. Follows redirects itself, and only where this upstream may lead.</summary>
/// <remarks>Follows at most 5 redirects, never from https to http, and only as <see cref="ReachableNetworks"/> allows. Credentials go only
/// to the upstream's own origin.</remarks>
internal sealed class UpstreamTransport : DelegatingHandler
{
    private const int MaxHops = 5;

    private readonly Uri _origin;
    private readonly UpstreamCredentials? _credentials;
    private readonly ReachableNetworks _networks;
    private readonly HttpProxies _proxies;
    private readonly TimeProvider _time;

    /// <param name="origin">The upstream's address.</param>
    /// <param name="credentials">Authenticates us; null when it needs none.</param>
    /// <param name="network">Sends requests; sockets when null.</param>
    /// <param name="proxies">Selects the HTTP proxy; none when null.</param>
    /// <param name="connecting">Connects; by sockets of its own when null.</param>
    /// <param name="tls">Who we are to the upstream, and who vouches for it; null for nobody, and whom this machine trusts.</param>
    public UpstreamTransport(Uri origin, UpstreamCredentials? credentials, TimeProvider time, HttpMessageHandler? network,
        HttpProxies? proxies = null, HappyEyeballs? connecting = null, PeerTls? tls = null)
    {
        (_origin, _credentials, _networks, _proxies, _time) =
            (origin, credentials, new ReachableNetworks(origin), proxies ?? HttpProxies.None, time);
        InnerHandler = network ?? new PeerTransport(_proxies, time, connecting: connecting) { Admit = _networks.Admit, Tls = tls };
    }

    /// <summary>This program's User-Agent; nothing of a client's request goes to an upstream.</summary>
    public static ProductInfoHeaderValue UserAgent { get; } = new(
        "trustix-proxy", typeof(UpstreamTransport).Assembly.GetName().Version!.ToString(2));

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.UserAgent.Add(UserAgent);
        foreach (var comment in OwnRequests.Comments)
        {
            request.Headers.UserAgent.Add(comment);
        }

        for (var hop = 0; ; hop++)
        {
            var from = request.RequestUri!;
            if (_proxies.For(from) is { } proxy && !_networks.MayAskThroughProxy(from))
            {
                throw new UpstreamFaultException(
                    UpstreamFailure.AddressRefused,
                    $"{_origin.Host} leads to {from.Host}, which is a name or address of a private network: not requested through the HTTP "
                        + $"proxy {proxy}.");
            }

            var response = await SendOnceAsync(request, cancellationToken);
            if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location)
            {
                return WithoutTrailers(response);
            }

            response.Dispose(); // its address may be signed, so neither messages nor clients get the query
            if (!Uri.TryCreate(from, location, out var to) || hop == MaxHops || !MayLead(from, to))
            {
                var reason = hop == MaxHops ? $"more than {MaxHops} hops" : "not allowed";
                throw new UpstreamFaultException(
                    UpstreamFailure.RedirectRefused, $"{_origin.Host} redirects from {Shown(from)} to {Shown(to)}: {reason}.");
            }

            request.RequestUri = to;
        }
    }

    /// <summary>Drops the trailers of a response: they are unverified, and HTTP/2 clients would receive them.</summary>
    private static HttpResponseMessage WithoutTrailers(HttpResponseMessage response)
    {
        var plain = new HttpResponseMessage(response.StatusCode)
        {
            Content = response.Content, // disposed with it; the trailers that come go to the other message
            ReasonPhrase = response.ReasonPhrase,
            RequestMessage = response.RequestMessage,
            Version = response.Version,
        };
        foreach (var (name, values) in response.Headers.NonValidated)
        {
            plain.Headers.TryAddWithoutValidation(name, values);
        }

        plain.Headers.Trailer.Clear();
        return plain;
    }

    private async Task<HttpResponseMessage> SendOnceAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        if (_credentials is null)
        {
            return await base.SendAsync(request, cancellation);
        }

        await _credentials.ApplyAsync(request, _origin, _time.GetUtcNow(), cancellation);
        var isSigned = _credentials.Header is null && request.Headers.Contains("Authorization");
        var response = await base.SendAsync(request, cancellation);
        if (!isSigned || response.IsSuccessStatusCode || response.Headers.Location is not null)
        {
            return response;
        }

        if (await BucketFault.RefusalOfAsync(response, cancellation) is { } code)
        {
            response.Dispose();
            throw new UpstreamFaultException(UpstreamFailure.CredentialsRefused, $"{_origin.Host} refuses our signature: {code}.");
        }

        return response;
    }

    /// <summary>Returns an address without its query. In other schemes than http and https no part is known to be one.</summary>
    private static string Shown(Uri? address) => address is null ? "an address that cannot be read"
        : address.Scheme is "http" or "https" ? address.GetLeftPart(UriPartial.Path)
        : $"{address.Scheme}:…";

    /// <summary>Whether a URL from this source may be followed: only http and https, and never from https to http.</summary>
    public static bool MayLead(Uri from, Uri to) =>
        to.Scheme == Uri.UriSchemeHttps || (to.Scheme == Uri.UriSchemeHttp && from.Scheme == Uri.UriSchemeHttp);
}
