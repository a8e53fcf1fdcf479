using System.Threading.RateLimiting;

namespace TrustixProxy.Substituter.FrontDoor;

/// <summary>How much is served, to one client or to all together. Null: as much as there is.</summary>
/// <param name="Concurrency">Requests at once.</param>
/// <param name="RequestsPerSecond">Requests a second in the long run; as many at once after a pause.</param>
/// <param name="BytesPerSecond">Bytes of answers a second in the long run; as many at once after a pause.</param>
/// <param name="Waiting">How many requests wait for their turn; those beyond are told to come later.</param>
public sealed record LoadLimits(int? Concurrency = null, int? RequestsPerSecond = null, int? BytesPerSecond = null, int Waiting = 10_000)
{
    /// <summary>What bounds requests; none, one or two limiters.</summary>
    /// <param name="partition">Who shares a limit: the client, or all.</param>
    internal IEnumerable<PartitionedRateLimiter<string>> LimitRequests(Func<string, string> partition)
    {
        if (RequestsPerSecond is { } rate)
        {
            yield return Create(partition, rate, Waiting);
        }

        if (Concurrency is { } concurrency)
        {
            var options = new ConcurrencyLimiterOptions
            {
                PermitLimit = concurrency,
                QueueLimit = Waiting,
                QueueProcessingOrder = QueueProcessingOrder.OldestFirst
            };
            yield return PartitionedRateLimiter.Create<string,
                string>(client => RateLimitPartition.GetConcurrencyLimiter(partition(client), _ => options));
        }
    }

    /// <summary>What bounds bytes; none, or one limiter. Whoever writes, waits: their number is bounded by that of requests.</summary>
    /// <param name="partition">Who shares a limit: the client, or all.</param>
    internal IEnumerable<PartitionedRateLimiter<string>> LimitBytes(Func<string, string> partition) =>
        BytesPerSecond is { } rate ? [Create(partition, rate, int.MaxValue)] : [];

    private static PartitionedRateLimiter<string> Create(Func<string, string> partition, int perSecond, int waiting)
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
        return PartitionedRateLimiter.Create<string,
            string>(client => RateLimitPartition.GetTokenBucketLimiter(partition(client), _ => options));
    }
}
