using System.Threading.RateLimiting;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>What every request to an upstream passes: its limit of requests at once, its pauses, and the watch for signs of life.</summary>
/// <param name="inner">Sends requests.</param>
/// <param name="concurrency">How many requests may be under way at once, bodies included; 0 for no limit.</param>
/// <param name="throttle">What is not to be asked for now.</param>
/// <param name="health">Told of every sign of life.</param>
internal sealed class UpstreamGate(HttpMessageHandler inner, int concurrency, UpstreamThrottle throttle, UpstreamHealth health)
    : DelegatingHandler(inner)
{
    /// <summary>How many requests may wait for their turn.</summary>
    private const int MostWaiting = 10_000;

    /// <summary>Marks a probe: it is sent beside other requests, however many there are, so that an upstream which holds all of them is
    /// found out.</summary>
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
            throw new UpstreamFaultException(UpstreamFailure.Throttled, $"{address.Host} asked not to be asked for this now.");
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

/// <summary>Thrown where a request gets no turn: as many as may wait do so already.</summary>
internal sealed class UpstreamBusyException()
    : HttpRequestException("As many requests to this upstream are under way as its concurrency allows.");
