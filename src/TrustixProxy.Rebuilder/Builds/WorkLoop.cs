using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Nix;
using TrustixProxy.Rebuilder.Records;
using TrustixProxy.Rebuilder.Work;

namespace TrustixProxy.Rebuilder.Builds;

/// <summary>Rebuilds what the work lists of proxies name, and what is given.</summary>
public sealed class WorkLoop(RebuilderOptions options, PathRebuilder rebuilder, TimeProvider time)
{
    /// <summary>Number of builds, for each job, before the lists are fetched again.</summary>
    private const int PassLength = 16;

    /// <summary>Takes each path as soon as work on it begins; called by several at once.</summary>
    public Action<StorePath> Begins { get; init; } = _ => { };

    /// <summary>Rebuilds given targets, at most <c>jobs</c> at once.</summary>
    /// <param name="again">Whether to build again what was built before.</param>
    /// <param name="tell">Takes each path's record as soon as its build has ended; called by several at once.</param>
    public Task<IReadOnlyList<BuildRecord>> RunAsync(
        IReadOnlyList<RebuildTarget> targets, bool again, Action<StorePath, BuildRecord> tell, CancellationToken cancellation) =>
        RunAsync(targets, options.Jobs, again, tell, cancellation);

    private async Task<IReadOnlyList<BuildRecord>> RunAsync(
        IReadOnlyList<RebuildTarget> targets, int jobs, bool again, Action<StorePath, BuildRecord> tell, CancellationToken cancellation)
    {
        var records = new BuildRecord[targets.Count];
        await Parallel.ForEachAsync(Enumerable.Range(0, targets.Count),
            new ParallelOptions { MaxDegreeOfParallelism = jobs, CancellationToken = cancellation }, async (i, stopping) =>
        {
            Begins(targets[i].Path);
            records[i] = await rebuilder.RebuildAsync(targets[i], again, stopping);
            tell(targets[i].Path, records[i]);
        });
        return records;
    }

    /// <summary>Works on the lists until they hold nothing that can be done now; returns how much was done.</summary>
    /// <param name="tell">As in <see cref="RunAsync"/>.</param>
    /// <param name="warn">Takes what is wrong with a list.</param>
    public async Task<int> DrainAsync(
        WantedLists lists, Action<StorePath, BuildRecord> tell, Action<string> warn, CancellationToken cancellation)
    {
        var done = 0;
        while (true)
        {
            rebuilder.TidyUp();
            var due = Due(await lists.FetchAsync(warn, cancellation));
            if (due.Count is 0)
            {
                return done;
            }

            // What broke the rebuilder down is built alone: then it cannot be taken for a build beside it, and no build for it.
            var suspects = due.ToLookup(target => rebuilder.Records.Find(target.Path.Absolute) is { IsSuspect: true });
            done += (await RunAsync([.. suspects[false]], options.Jobs, again: false, tell, cancellation)).Count
                + (await RunAsync([.. suspects[true]], jobs: 1, again: false, tell, cancellation)).Count;
        }
    }

    /// <summary>Works on the lists until cancelled; no failure ends it.</summary>
    /// <param name="tell">As in <see cref="RunAsync"/>.</param>
    /// <param name="warn">Takes what is wrong with a list.</param>
    /// <param name="logger">Logs failures, for example of a full spool.</param>
    public Task RunForeverAsync(
        WantedLists lists, Action<StorePath, BuildRecord> tell, Action<string> warn, ILogger logger, CancellationToken cancellation) =>
        new SupervisedLoop("rebuilder", options.Store, options.Interval, stopping => DrainAsync(lists, tell, warn, stopping))
            .RunAsync(time, logger, cancellation);

    /// <summary>The targets of one pass: admitted by name, not built yet, and not waiting for a retry; equally many of each list while it
    /// has any.</summary>
    private List<RebuildTarget> Due(IReadOnlyList<IReadOnlyList<WantedPath>> lists)
    {
        var due = lists.Select(list => (IReadOnlyList<WantedPath>)[.. list.Where(item =>
            options.Filter.Admits(item.Path) && IsDue(rebuilder.Records.Find(item.Path.Absolute)))]).Where(list => list.Count > 0).ToList();
        var rounds = due.Count is 0 ? 0 : Math.Max(1, PassLength * options.Jobs / due.Count);
        return [.. WorkOrder.Share(due).Take(rounds * due.Count).Select(item => new RebuildTarget(item.Path, item.Derivers))];
    }

    private bool IsDue(BuildRecord? known) => known switch
    {
        null or { State: BuildState.Preparing or BuildState.Building } => true, // its end could not be recorded
        { State: BuildState.Failed or BuildState.Interrupted, RetryAt: { } retry } => retry <= time.GetUtcNow(),
        _ => false,
    };
}
