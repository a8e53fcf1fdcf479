using System.Threading.RateLimiting;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Handles every request to an upstream: the concurrency limit, the pauses it asked for, and signs of life.</summary>
/// <param name="inner">Sends requests.</param>
/// <param name="concurrency">Maximum number of requests in flight, bodies included; 0 for no limit.</param>
/// <param name="throttle">Knows what is not to be asked now.</param>
/// <param name="health">Notified of every sign of life.</param>
internal sealed class UpstreamGate(HttpMessageHandler inner, int concurrency, UpstreamThrottle throttle, UpstreamHealth health)
    : DelegatingHandler(inner)
{
    /// <summary>Maximum number of waiting requests.</summary>
    private const int MostWaiting = 10_000;

    /// <summary>Marks a probe. Probes bypass the concurrency limit, so that an upstream that hangs on all requests is detected.</summary>
    public static readonly HttpRequestOptionsKey<bool> IsProbe = new("trustix-probe");

    private readonly ConcurrencyLimiter? _turns = concurrency is 0 ? null : new ConcurrencyLimiter(new ConcurrencyLimiterOptions
    {
        PermitLimit = concurrency,
        QueueLimit = MostWaiting,
        QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
    });

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var address = request.RequestUri!; // redirects change it
        Refuse(address);
        var turn = await TakeTurnAsync(request, cancellationToken);
        try
        {
            Refuse(address);
            var response = await base.SendAsync(request, cancellationToken);
            health.ReportLife();
            throttle.ApplyRetryAfter(address, response);
            response.Content = new WatchedContent(response.Content, turn, health);
            return response;
        }
        catch
        {
            turn?.Dispose();
            throw;
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _turns?.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Refuse(Uri address)
    {
        if (throttle.IsHeld(address))
        {
            throw new UpstreamFaultException(UpstreamFailure.Throttled, $"{address.Host} asked to pause requests (Retry-After or 429).");
        }
    }

    private async ValueTask<RateLimitLease?> TakeTurnAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        if (_turns is null || (request.Options.TryGetValue(IsProbe, out var isProbe) && isProbe))
        {
            return null;
        }

        var turn = await _turns.AcquireAsync(1, cancellation);
        return turn.IsAcquired ? turn : throw new UpstreamBusyException();
    }
}

/// <summary>Signals that the queue of waiting requests is full.</summary>
internal sealed class UpstreamBusyException()
    : HttpRequestException("The concurrency limit of this upstream is reached.");
