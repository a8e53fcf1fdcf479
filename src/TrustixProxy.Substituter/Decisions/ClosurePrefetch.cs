using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Prefetches decisions on direct and indirect references of served paths. Requests never wait for it, but join decisions in
/// flight.</summary>
/// <param name="decider">Decides on one digest.</param>
/// <param name="references">Queue of references.</param>
internal sealed class ClosurePrefetch(Decider decider, ReferenceQueue references, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    private const int AtOnce = 64;

    protected override IEnumerable<SupervisedLoop> Loops => Enumerable.Range(1, AtOnce).Select(worker => new SupervisedLoop(
        "prefetch", $"references, worker {worker}", TimeSpan.Zero, async stopping =>
        {
            var (digest, depth) = await references.TakeAsync(stopping);
            await TryDecideAsync(digest, depth, stopping);
        }));

    private async Task TryDecideAsync(StorePathDigest digest, int depth, CancellationToken stopping)
    {
        try
        {
            await decider.DecideAheadAsync(digest, depth, stopping);
        }
        catch (Exception) when (!stopping.IsCancellationRequested)
        {
            // A bug, logged where it occurred. The next request for the path decides again.
        }
    }
}
