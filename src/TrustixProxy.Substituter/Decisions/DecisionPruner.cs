using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Nars;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Deletes expired records from disk every hour.</summary>
internal sealed class DecisionPruner(DecisionCache cache, KnownFiles files, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    protected override IEnumerable<SupervisedLoop> Loops =>
    [
        new SupervisedLoop("pruner", "kept decisions", TimeSpan.FromHours(1), _ =>
        {
            cache.Prune();
            files.Prune();
            return Task.CompletedTask;
        })
        { WaitsFirst = true },
    ];
}
