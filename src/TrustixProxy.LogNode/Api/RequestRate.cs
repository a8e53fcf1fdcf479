using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using TrustixProxy.IO.Connections;

namespace TrustixProxy.LogNode.Api;

/// <summary>How much one address may ask of public listeners. All clients of a unix socket count as one address.</summary>
/// <remarks>A call takes as many tokens as it has items, and one at least: a call that looks a hundred paths up costs a hundred times what
/// a call for one does.</remarks>
internal sealed class RequestRate : IDisposable
{
    /// <summary>Tokens a second that one address gets in the long run; twice as many at once.</summary>
    public const int PerSecond = 4000;

    /// <summary>How many entries of a range cost a token: they are read one after the other, where an item has a proof of its
    /// own.</summary>
    public const int EntriesPerToken = 25;

    private readonly PartitionedRateLimiter<HttpContext> _limiter = PartitionedRateLimiter.Create<HttpContext,
        ClientAddress>(http => RateLimitPartition.GetTokenBucketLimiter(
        ClientAddress.Of(http.Connection.RemoteIpAddress),
        _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = 2 * PerSecond,
            TokensPerPeriod = PerSecond / 10,
            ReplenishmentPeriod = TimeSpan.FromMilliseconds(100),
            QueueLimit = 0,
        }));

    /// <summary>Takes tokens for a call; false when its address has too few left.</summary>
    public bool TryTake(HttpContext http, int tokens = 1)
    {
        using var lease = _limiter.AttemptAcquire(http, Math.Min(tokens, 2 * PerSecond));
        return lease.IsAcquired;
    }

    public void Dispose() => _limiter.Dispose();
}
