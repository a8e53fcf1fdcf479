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
    public async Task<IReadOnlyList<BuildRecord>> RunAsync(
        IReadOnlyList<RebuildTarget> targets, bool again, Action<StorePath, BuildRecord> tell, CancellationToken cancellation)
    {
        var records = new BuildRecord[targets.Count];
        await Parallel.ForEachAsync(Enumerable.Range(0, targets.Count),
            new ParallelOptions { MaxDegreeOfParallelism = options.Jobs, CancellationToken = cancellation }, async (i, stopping) =>
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

            done += (await RunAsync(due, again: false, tell, cancellation)).Count;
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

    /// <summary>The targets of one pass: admitted by name, not built yet, and not waiting for a retry.</summary>
    private List<RebuildTarget> Due(IEnumerable<WantedPath> wanted) =>
        [.. wanted.Where(item => options.Filter.Admits(item.Path) && IsDue(rebuilder.Records.Find(item.Path.Absolute)))
            .Take(PassLength * options.Jobs)
            .Select(item => new RebuildTarget(item.Path, item.Derivers))];

    private bool IsDue(BuildRecord? known) => known switch
    {
        null or { State: BuildState.Building } => true,
        { State: BuildState.Failed, RetryAt: { } retry } => retry <= time.GetUtcNow(),
        _ => false,
    };
}
