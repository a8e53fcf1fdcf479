using System.Threading.Channels;
using Microsoft.Extensions.Caching.Memory;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>References of served paths that wait to be decided ahead: Nix asks for them next.</summary>
internal sealed class ReferenceQueue : IDisposable
{
    /// <summary>The most paths that wait; those beyond are decided when a client asks.</summary>
    private const int MaxWaiting = 10_000;

    /// <summary>The most references between a request and a path that is decided ahead.</summary>
    private const int MaxDepth = 100;

    /// <summary>How long a path is not queued again, whatever came of it: absent paths cost upstreams no more for our sake.</summary>
    private static readonly TimeSpan Once = TimeSpan.FromMinutes(1);

    private readonly Channel<(StorePathDigest Digest, int Depth)> _waiting = Channel.CreateBounded<(StorePathDigest, int)>(
        new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly MemoryCache _seen = new(new MemoryCacheOptions { SizeLimit = 5 * MaxWaiting });

    /// <summary>Queues what a served path refers to.</summary>
    /// <param name="claim">What is served.</param>
    /// <param name="depth">How many references away from a request it is.</param>
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

    /// <summary>Takes the next reference, and how many references away from a request it is; waits for one.</summary>
    public ValueTask<(StorePathDigest Digest, int Depth)> TakeAsync(CancellationToken cancellation) =>
        _waiting.Reader.ReadAsync(cancellation);

    public void Dispose() => _seen.Dispose();

    private void Remember(StorePathDigest digest) =>
        _seen.Set(digest, true, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = Once });
}
