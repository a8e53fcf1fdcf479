using System.Threading.Channels;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.IO;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Decides ahead on what a served path refers to, near and far: that is what Nix asks for next. A request never waits for it, but finds what is done, or under way.</summary>
/// <param name="decide">Decides on a digest that is so many references away from a request.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told what fails.</param>
internal sealed class ClosurePrefetch(Func<StorePathDigest, int, CancellationToken, Task> decide, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    /// <summary>The most paths that wait; what goes beyond is decided when it is asked for.</summary>
    private const int MaxWaiting = 10_000;

    /// <summary>The longest way from a request.</summary>
    private const int MaxDepth = 100;

    private const int AtOnce = 64;

    /// <summary>How long a path is not decided ahead again, whatever came of it: nobody's absent paths are asked for more often by our doing.</summary>
    private static readonly TimeSpan Once = TimeSpan.FromMinutes(1);

    private readonly Channel<(StorePathDigest Digest, int Depth)> _waiting = Channel.CreateBounded<(StorePathDigest, int)>(
        new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly MemoryCache _seen = new(new MemoryCacheOptions { SizeLimit = 5 * MaxWaiting });

    /// <summary>Takes in what a served path refers to.</summary>
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

    public override void Dispose()
    {
        base.Dispose();
        _seen.Dispose();
    }

    protected override IEnumerable<SupervisedLoop> Loops => Enumerable.Range(1, AtOnce).Select(worker => new SupervisedLoop(
        "prefetch", $"references, worker {worker}", TimeSpan.Zero, async stopping =>
        {
            var (digest, depth) = await _waiting.Reader.ReadAsync(stopping);
            await TryDecideAsync(digest, depth, stopping);
        }));

    private async Task TryDecideAsync(StorePathDigest digest, int depth, CancellationToken stopping)
    {
        try
        {
            await decide(digest, depth, stopping);
        }
        catch (Exception) when (!stopping.IsCancellationRequested)
        {
            // A fault of ours, which is told where it was made. Whoever asks for the path gets it anew.
        }
    }

    private void Remember(StorePathDigest digest) => _seen.Set(digest, true, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = Once });
}
