using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.AptGate.Hosting;

/// <summary>Does what has to be done now and then: forgets expired decisions, submits Release files, and looks whether servers are
/// there.</summary>
internal sealed class GateKeeper(GateParts parts, TimeProvider time, ILogger logger) : SupervisedService(time, logger)
{
    private static readonly TimeSpan PruneInterval = TimeSpan.FromHours(1), SubmitInterval = TimeSpan.FromSeconds(10);

    private const int MostAtOnce = 100;

    protected override IEnumerable<SupervisedLoop> Loops =>
    [
        new("decision pruner", "state", PruneInterval, _ =>
        {
            parts.Decisions.Prune(Time.GetUtcNow());
            return Task.CompletedTask;
        }),
        new("first look", "archives and rebuilders", Timeout.InfiniteTimeSpan, LookAsync),
        .. parts.Options.Submit is null ? Array.Empty<SupervisedLoop>()
            : [new("release submitter", "log", SubmitInterval, SubmitAsync) { WaitsFirst = true }],
    ];

    private async Task LookAsync(CancellationToken cancellation)
    {
        foreach (var upstream in parts.Archives.Select(archive => archive.Upstream)
            .Concat(parts.Rebuilders.Select(rebuilder => rebuilder.Upstream)))
        {
            upstream.Probe();
        }

        await Task.Delay(Timeout.InfiniteTimeSpan, Time, cancellation);
    }

    private async Task SubmitAsync(CancellationToken cancellation)
    {
        var archives = parts.Archives.Select(archive => archive.Options.Name).ToHashSet(); // of another, nobody knows the address
        var open = parts.Releases.List().Where(release => !release.IsSubmitted && archives.Contains(release.Archive)).Take(MostAtOnce)
            .ToList();
        if (open.Count is 0)
        {
            return;
        }

        await parts.Options.Submit!(open, cancellation);
        foreach (var release in open)
        {
            await parts.Releases.MarkAsync(release);
        }
    }
}
