using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>Finds the upstreams that may have a NAR.</summary>
/// <param name="upstreams">All upstreams.</param>
/// <param name="badNars">Remembers which upstreams gave bad NARs.</param>
public sealed class NarFinder(IReadOnlyList<Upstream> upstreams, BadNarMemory badNars, TimeProvider time)
{
    /// <summary>How long to wait for the other upstreams after one has offered the exact file.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(200);

    /// <summary>Minimum time for asking upstreams.</summary>
    private static readonly TimeSpan LeastLimit = TimeSpan.FromMilliseconds(100);

    /// <summary>Returns the candidates, best first: not marked bad, not down, exact file, no decompression needed, by priority.</summary>
    /// <param name="limit">Maximum time to wait for upstreams.</param>
    /// <returns>The candidates, and whether an upstream not known to be down gave no answer.</returns>
    public async Task<(List<NarCandidate> Candidates, bool HasFailed)> FindAsync(
        NarOrder order, TimeSpan limit, CancellationToken cancellation)
    {
        var digest = order.Claim.Path.Digest;
        var (candidates, hasFailed) = (new List<NarCandidate>(), false);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var asked = upstreams.Where(upstream => upstream.Options.Takes(order.Claim.Path))
            .Select(async upstream => (upstream, Answer: await upstream.LookAsync(digest, cancellation))).ToList();
        var grace = Task.Delay(limit > LeastLimit ? limit : LeastLimit, time, stop.Token);
        while (asked.Count > 0 && await Task.WhenAny([.. asked, grace]) is Task<(Upstream, UpstreamAnswer)> done)
        {
            asked.Remove(done);
            var (upstream, answer) = await done;
            hasFailed |= answer is UpstreamAnswer.Failed { Fault.IsAnswer: false } && !upstream.IsDown;
            if (answer is UpstreamAnswer.Found found
                && NarCandidate.Of(upstream, found.NarInfo, order.Claim.NarHash, order.Compression, order.FileHash, badNars)
                    is { } candidate)
            {
                candidates.Add(candidate);
                grace = candidate.IsSameFile && !badNars.IsBad(upstream, digest) ? Task.Delay(Grace, time, stop.Token) : grace;
            }
        }

        cancellation.ThrowIfCancellationRequested();
        await stop.CancelAsync();
        var ranked = candidates
            .OrderBy(candidate => badNars.IsBad(candidate.Upstream, digest))
            .ThenBy(candidate => candidate.Upstream.IsDown)
            .ThenBy(candidate => !candidate.IsSameFile)
            .ThenBy(candidate => candidate.Decompress)
            .ThenBy(candidate => !candidate.Upstream.Options.IsShared)
            .ThenBy(candidate => candidate.Upstream.Options.Priority);
        return ([.. ranked], hasFailed || asked.Count > 0);
    }
}
