using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Deletes expired records from disk every hour.</summary>
internal sealed class DecisionPruner(Action prune, TimeProvider time, ILogger logger) : SupervisedService(time, logger)
{
    protected override IEnumerable<SupervisedLoop> Loops =>
    [
        new SupervisedLoop("pruner", "kept decisions", TimeSpan.FromHours(1), _ =>
        {
            prune();
            return Task.CompletedTask;
        })
        { WaitsFirst = true },
    ];
}
