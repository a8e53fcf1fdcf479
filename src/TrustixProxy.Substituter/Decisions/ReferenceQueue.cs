using System.Threading.Channels;
using Microsoft.Extensions.Caching.Memory;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Queue of references of served paths to prefetch decisions for, since Nix requests them next.</summary>
internal sealed class ReferenceQueue : IDisposable
{
    /// <summary>Maximum queued paths; others are decided on request.</summary>
    private const int MaxWaiting = 10_000;

    /// <summary>Maximum reference depth from a request to a prefetched path.</summary>
    private const int MaxDepth = 100;

    /// <summary>Time before a path is queued again, whatever the outcome, so that absent paths do not burden upstreams.</summary>
    private static readonly TimeSpan Once = TimeSpan.FromMinutes(1);

    private readonly Channel<(StorePathDigest Digest, int Depth)> _waiting = Channel.CreateBounded<(StorePathDigest, int)>(
        new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly MemoryCache _seen = new(new MemoryCacheOptions { SizeLimit = 5 * MaxWaiting });

    /// <summary>Queues the references of a served path.</summary>
    /// <param name="depth">Reference depth from the request.</param>
    public void Offer(OutputClaim claim, int depth)
    {
        if (depth >= MaxDepth)
        {
            return;
        }

        Remember(claim.Path.Digest);
        foreach (var reference in claim.References.Where(reference => !_seen.TryGetValue(reference.Digest, out _)))
        {
            Remember(reference.Digest);
            _waiting.Writer.TryWrite((reference.Digest, depth + 1));
        }
    }

    /// <summary>Takes the next reference and its depth, waiting if the queue is empty.</summary>
    public ValueTask<(StorePathDigest Digest, int Depth)> TakeAsync(CancellationToken cancellation) =>
        _waiting.Reader.ReadAsync(cancellation);

    public void Dispose() => _seen.Dispose();

    private void Remember(StorePathDigest digest) =>
        _seen.Set(digest, true, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = Once });
}
