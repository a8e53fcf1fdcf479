using System.Net.Http.Headers;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Makes the HTTP handler of one upstream: follows redirects itself, and only where this upstream may lead.</summary>
/// <remarks>At most 5 hops, never from https to http, and only where <see cref="ReachableNetworks"/> lets it lead. Credentials go to the
/// upstream's own origin alone.</remarks>
internal sealed class UpstreamTransport : DelegatingHandler
{
    private const int MaxHops = 5;

    private readonly Uri _origin;
    private readonly UpstreamCredentials? _credentials;
    private readonly ReachableNetworks _networks;
    private readonly HttpProxies _proxies;

    /// <param name="origin">The upstream's address.</param>
    /// <param name="credentials">Who we are to it; null when it does not ask.</param>
    /// <param name="time">The clock.</param>
    /// <param name="network">What carries requests; sockets when null.</param>
    /// <param name="proxies">Which HTTP proxy leads to it; none when null.</param>
    public UpstreamTransport(Uri origin, UpstreamCredentials? credentials, TimeProvider time, HttpMessageHandler? network,
        HttpProxies? proxies = null)
    {
        (_origin, _credentials, _networks, _proxies) = (origin, credentials, new ReachableNetworks(origin), proxies ?? HttpProxies.None);
        InnerHandler = network ?? new PeerTransport(_proxies, time) { Admit = _networks.Admit };
    }

    /// <summary>What this program calls itself; nothing of a client's request goes to an upstream.</summary>
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
            request.Headers.Authorization = IsOrigin(from) ? _credentials?.Header : null;
            if (_proxies.For(from) is { } proxy && !_networks.MayAskThroughProxy(from))
            {
                throw new UpstreamFaultException(
                    UpstreamFailure.AddressRefused,
                    $"{_origin.Host} leads to {from.Host}, which is a name or address of a private network: not asked through the HTTP "
                        + $"proxy {proxy}.");
            }

            var response = await base.SendAsync(request, cancellationToken);
            if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location)
            {
                return WithoutTrailers(response);
            }

            response.Dispose();
            if (!Uri.TryCreate(from, location, out var to) || hop == MaxHops || !MayLead(from, to))
            {
                var reason = hop == MaxHops ? $"more than {MaxHops} hops" : "not allowed";
                throw new UpstreamFaultException(
                    UpstreamFailure.RedirectRefused, $"{_origin.Host} redirects from {from} to {location}: {reason}.");
            }

            request.RequestUri = to;
        }
    }

    /// <summary>The same answer, to which nothing can be added behind the body: trailers are unverified, and HTTP/2 clients would be
    /// handed them.</summary>
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

    private bool IsOrigin(Uri address) =>
        Uri.Compare(address, _origin, UriComponents.SchemeAndServer, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) is 0;

    /// <summary>Whether an address that came out of another may be followed: only http and https, and never from https to http.</summary>
    public static bool MayLead(Uri from, Uri to) =>
        to.Scheme == Uri.UriSchemeHttps || (to.Scheme == Uri.UriSchemeHttp && from.Scheme == Uri.UriSchemeHttp);
}
