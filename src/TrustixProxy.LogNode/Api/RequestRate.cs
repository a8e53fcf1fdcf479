using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using TrustixProxy.IO.Connections;

namespace TrustixProxy.LogNode.Api;

/// <summary>Limits the request rate per address on public listeners. All clients of a unix socket count as one address.</summary>
/// <remarks>A call costs as many tokens as it has items, at least one: looking up a hundred paths costs a hundred times a lookup of
/// one.</remarks>
internal sealed class RequestRate : IDisposable
{
    /// <summary>Sustained tokens per second per address; the burst is twice as many.</summary>
    public const int PerSecond = 4000;

    /// <summary>Number of entries of a range per token: they are read sequentially, while an item needs its own proof.</summary>
    public const int EntriesPerToken = 25;

    /// <summary>Number of bytes of a file per token.</summary>
    private const int BytesPerToken = 4 << 10;

    /// <summary>Sustained bytes of files per second per address.</summary>
    public const int BytesPerSecond = PerSecond * BytesPerToken;

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

    /// <summary>Returns the number of tokens that a file costs; the whole burst for the longest.</summary>
    public static int TokensOf(long bytes) => (int)Math.Min(1 + (bytes / BytesPerToken), 2 * PerSecond);

    /// <summary>Takes tokens for a call; false when its address has too few left.</summary>
    public bool TryTake(HttpContext http, int tokens = 1)
    {
        using var lease = _limiter.AttemptAcquire(http, Math.Min(tokens, 2 * PerSecond));
        return lease.IsAcquired;
    }

    public void Dispose() => _limiter.Dispose();
}
