using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>Makes the HTTP handler of one upstream: follows redirects itself, and only where this upstream may lead.</summary>
/// <remarks>At most 5 hops, never from https to http, and to private and loopback addresses only if the upstream itself is at one:
/// an upstream, or whoever speaks for it, must not point us at services that only we can reach. Credentials go to the upstream's own origin alone. An upstream that says when it wants to be asked again is not asked before, for a minute at the most.</remarks>
internal sealed class UpstreamTransport : DelegatingHandler
{
    private const int MaxHops = 5;

    /// <summary>How long one that has too much to do, and does not say how long, is not asked; and the longest that it can ask for.</summary>
    private static readonly TimeSpan ShortPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromMinutes(1);

    private readonly Uri _origin;
    private readonly UpstreamCredentials? _credentials;
    private readonly TimeProvider _time;
    private long _busyUntil; // ticks of UTC
    private int _originIsPrivate; // 0 until its addresses are known, then 1 or -1 for good

    /// <param name="origin">The upstream's address.</param>
    /// <param name="credentials">Who we are to it; null when it does not ask.</param>
    /// <param name="time">The clock.</param>
    /// <param name="network">What carries requests; sockets when null.</param>
    public UpstreamTransport(Uri origin, UpstreamCredentials? credentials, TimeProvider time, HttpMessageHandler? network)
    {
        (_origin, _credentials, _time) = (origin, credentials, time);
        InnerHandler = network ?? new SocketsHttpHandler
        {
            ActivityHeadersPropagator = null,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectCallback = ConnectAsync,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            MaxResponseHeadersLength = 64,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            UseCookies = false,
            UseProxy = false,
        };
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

    /// <summary>Whether an address is one that the public internet does not lead to.</summary>
    internal static bool IsPrivate(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        var bytes = address.GetAddressBytes();
        return address.AddressFamily is AddressFamily.InterNetwork
            ? bytes switch
            {
                [0 or 10 or 127, ..] or [192, 168, ..] or [169, 254, ..] or [ >= 224, ..] => true,
                [172, var second, ..] => second is >= 16 and < 32,
                [100, var second, ..] => second is >= 64 and < 128,
                [192, 0, 0, _] or [198, 18 or 19, ..] => true,
                _ => false,
            }
            : IPAddress.IsLoopback(address) || address.Equals(IPAddress.IPv6Any) || address.IsIPv6LinkLocal || address.IsIPv6SiteLocal
                || address.IsIPv6UniqueLocal || address.IsIPv6Multicast
                || (bytes is [0, 0x64, 0xff, 0x9b, ..] && IsPrivate(new IPAddress(bytes.AsSpan(12)))); // NAT64
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var target = context.DnsEndPoint;
        var addresses = await Dns.GetHostAddressesAsync(target.Host, cancellation);
        if (target.Host.Trim('[', ']') == _origin.IdnHost.Trim('[', ']') && target.Port == _origin.Port)
        {
            // Its own DNS must not be able to open private addresses later: what it is at first, it stays.
            Interlocked.CompareExchange(ref _originIsPrivate, addresses.Length > 0 && addresses.All(IsPrivate) ? 1 : -1, 0);
        }

        if (Volatile.Read(ref _originIsPrivate) is not 1)
        {
            addresses = [.. addresses.Where(address => !IsPrivate(address))];
        }

        if (addresses.Length is 0)
        {
            throw new HttpRequestException($"{_origin.Host} leads to {target.Host}, which is at a private address or none.");
        }

        return await PooledConnection.ConnectAsync(addresses, target.Port, cancellation);
    }
}

/// <summary>Thrown instead of asking an upstream that has said when it wants to be asked again.</summary>
internal sealed class UpstreamBusyException(string message) : HttpRequestException(message);
