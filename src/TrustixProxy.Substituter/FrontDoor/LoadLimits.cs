using System.Threading.RateLimiting;
using TrustixProxy.Substituter.Fairness;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>Limits per client or for all clients. Null: unlimited.</summary>
/// <param name="Concurrency">Concurrent requests.</param>
/// <param name="RequestsPerSecond">Sustained requests per second; bursts up to the same number.</param>
/// <param name="BytesPerSecond">Sustained bytes per second; bursts up to the same number.</param>
/// <param name="Waiting">Queued requests; more get 503 with Retry-After.</param>
public sealed record LoadLimits(int? Concurrency = null, int? RequestsPerSecond = null, int? BytesPerSecond = null, int Waiting = 10_000)
{
    /// <summary>Limiters of the rate of requests: none or one.</summary>
    /// <param name="partition">Partition of the limit: per client, or all.</param>
    internal IEnumerable<PartitionedRateLimiter<Requester>> LimitRate(Func<Requester, Requester> partition) =>
        RequestsPerSecond is { } rate ? [Create(partition, rate, Waiting)] : [];

    /// <summary>Limiters of concurrent requests per client: none or one.</summary>
    internal IEnumerable<PartitionedRateLimiter<Requester>> LimitConcurrency()
    {
        if (Concurrency is not { } concurrency)
        {
            return [];
        }

        var options = new ConcurrencyLimiterOptions
        {
            PermitLimit = concurrency,
            QueueLimit = Waiting,
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst
        };
        return [PartitionedRateLimiter.Create<Requester,
            Requester>(client => RateLimitPartition.GetConcurrencyLimiter(client, _ => options))];
    }

    /// <summary>Limiters of bytes: none or one. Waiting writers are bounded by the limit of requests.</summary>
    /// <param name="partition">Partition of the limit: per client, or all.</param>
    internal IEnumerable<PartitionedRateLimiter<Requester>> LimitBytes(Func<Requester, Requester> partition) =>
        BytesPerSecond is { } rate ? [Create(partition, rate, int.MaxValue)] : [];

    private static PartitionedRateLimiter<Requester> Create(Func<Requester, Requester> partition, int perSecond, int waiting)
    {
        var atOnce = Math.Max(1, perSecond / 10);
        var options = new TokenBucketRateLimiterOptions
        {
            TokenLimit = perSecond,
            TokensPerPeriod = atOnce,
            ReplenishmentPeriod = TimeSpan.FromSeconds((double)atOnce / perSecond),
            QueueLimit = waiting,
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
        };
        return PartitionedRateLimiter.Create<Requester,
            Requester>(client => RateLimitPartition.GetTokenBucketLimiter(partition(client), _ => options));
    }
}
