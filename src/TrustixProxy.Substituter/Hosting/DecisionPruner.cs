using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Nars;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Traces;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Deletes expired records from disk every hour.</summary>
internal sealed class DecisionPruner(DecisionCache cache, KnownFiles files, TraceStore traces, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    protected override IEnumerable<SupervisedLoop> Loops =>
    [
        new SupervisedLoop("pruner", "kept decisions", TimeSpan.FromHours(1), _ =>
        {
            cache.Prune();
            files.Prune();
            traces.Prune();
            return Task.CompletedTask;
        })
        { WaitsFirst = true },
    ];
}
