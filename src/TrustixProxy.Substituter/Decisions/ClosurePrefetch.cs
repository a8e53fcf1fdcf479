using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Decides ahead on references of served paths, near and far. No request waits for it; each finds what is done or in
/// flight.</summary>
/// <param name="decider">Decides on one digest.</param>
/// <param name="references">The references that wait.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Logs what fails.</param>
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
            // A fault of ours, logged where it was made. The next request for the path decides anew.
        }
    }
}
