using System.Net;
using System.Net.Http.Headers;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>Makes the HTTP handler of one upstream: follows redirects itself, and only where this upstream may lead.</summary>
/// <remarks>At most 5 hops, never from https to http, and only where <see cref="ReachableNetworks"/> lets it lead. Credentials go to the upstream's own origin alone.
/// An upstream that says when it wants to be asked again is not asked before, for at most a minute.</remarks>
internal sealed class UpstreamTransport : DelegatingHandler
{
    private const int MaxHops = 5;

    /// <summary>How long one that has too much to do, and does not say how long, is not asked; and the longest that it can ask for.</summary>
    private static readonly TimeSpan ShortPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromMinutes(1);

    private readonly Uri _origin;
    private readonly UpstreamCredentials? _credentials;
    private readonly TimeProvider _time;
    private readonly ReachableNetworks _networks;
    private readonly HttpProxies _proxies;
    private long _busyUntil; // ticks of UTC

    /// <param name="origin">The upstream's address.</param>
    /// <param name="credentials">Who we are to it; null when it does not ask.</param>
    /// <param name="time">The clock.</param>
    /// <param name="network">What carries requests; sockets when null.</param>
    /// <param name="proxies">Which HTTP proxy leads to it; none when null.</param>
    public UpstreamTransport(Uri origin, UpstreamCredentials? credentials, TimeProvider time, HttpMessageHandler? network, HttpProxies? proxies = null)
    {
        (_origin, _credentials, _time, _networks, _proxies) = (origin, credentials, time, new ReachableNetworks(origin), proxies ?? HttpProxies.None);
        InnerHandler = network ?? new PeerTransport(_proxies, time) { Admit = _networks.Admit };
    }

    /// <summary>What this program calls itself; nothing of a client's request goes to an upstream.</summary>
    public static ProductInfoHeaderValue UserAgent { get; } = new("trustix-proxy", typeof(UpstreamTransport).Assembly.GetName().Version!.ToString(2));

    /// <summary>Whether it has said that it is not to be asked now.</summary>
    public bool IsBusy => Interlocked.Read(ref _busyUntil) - _time.GetUtcNow().UtcTicks is var left && left > 0 && left <= LongestPause.Ticks;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (IsBusy)
        {
            throw new UpstreamBusyException($"{_origin.Host} has said that it is not to be asked now.");
        }

        request.Headers.UserAgent.Add(UserAgent);
        for (var hop = 0; ; hop++)
        {
            var from = request.RequestUri!;
            request.Headers.Authorization = IsOrigin(from) ? _credentials?.Header : null;
            if (_proxies.For(from) is { } proxy && !_networks.MayAskThroughProxy(from))
            {
                throw new HttpRequestException($"{_origin.Host} leads to {from.Host}, which is a name or address of a private network: not asked through the HTTP proxy {proxy}.");
            }

            var response = await base.SendAsync(request, cancellationToken);
            Heed(response);
            if ((int)response.StatusCode is not (301 or 302 or 303 or 307 or 308) || response.Headers.Location is not { } location)
            {
                return response;
            }

            response.Dispose();
            if (!Uri.TryCreate(from, location, out var to) || hop == MaxHops || !MayLead(from, to))
            {
                throw new HttpRequestException($"{_origin.Host} redirects from {from} to {location}: {(hop == MaxHops ? $"more than {MaxHops} hops" : "not allowed")}.");
            }

            request.RequestUri = to;
        }
    }

    private bool IsOrigin(Uri address) => Uri.Compare(address, _origin, UriComponents.SchemeAndServer, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) is 0;

    /// <summary>Has it not be asked for as long as it says (RFC 9110, Retry-After), within bounds.</summary>
    private void Heed(HttpResponseMessage response)
    {
        if (response.StatusCode is not HttpStatusCode.TooManyRequests && (int)response.StatusCode < 500)
        {
            return;
        }

        var now = _time.GetUtcNow();
        var asked = response.Headers.RetryAfter is { } after ? after.Delta ?? after.Date - now : null;
        var pause = asked ?? (response.StatusCode is HttpStatusCode.TooManyRequests ? ShortPause : TimeSpan.Zero);
        if (pause > TimeSpan.Zero)
        {
            Interlocked.Exchange(ref _busyUntil, (now + (pause < LongestPause ? pause : LongestPause)).UtcTicks);
        }
    }

    /// <summary>Whether an address that came out of another may be followed: only http and https, and never from https to http.</summary>
    public static bool MayLead(Uri from, Uri to) => to.Scheme == Uri.UriSchemeHttps || (to.Scheme == Uri.UriSchemeHttp && from.Scheme == Uri.UriSchemeHttp);
}

/// <summary>Thrown instead of asking an upstream that has said when it wants to be asked again.</summary>
internal sealed class UpstreamBusyException(string message) : HttpRequestException(message);
