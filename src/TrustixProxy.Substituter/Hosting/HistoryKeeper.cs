using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Metering;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Keeps what charts show over restarts: written once a minute while decisions are made, and at the end.</summary>
internal sealed class HistoryKeeper(CurrentParts parts, DecisionJournal journal, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2), Interval = TimeSpan.FromMinutes(1);

    private HistoryStore? _store;
    private (long Decisions, long Polls, long Nars) _written;
    private long? _writtenAt;

    /// <summary>Writes the last changes.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        Write();
    }

    protected override IEnumerable<SupervisedLoop> Loops =>
    [
        new SupervisedLoop("history", parts.Value.Options.StateDirectory, Look, _ =>
        {
            if (_store is null)
            {
                var store = parts.Value.OpenHistory();
                foreach (var (series, history) in Series(parts.Value))
                {
                    history.Restore(store.Read(series));
                }

                parts.Value.Given.Restore(store.Read("nars"));
                _store = store;
            }

            if (_writtenAt is not { } at || Time.GetElapsedTime(at) >= Interval)
            {
                Write();
            }

            return Task.CompletedTask;
        }),
    ];

    private IEnumerable<(string Name, AnswerHistory History)> Series(ProxyParts current) =>
    [
        ("decisions", journal.Durations),
        .. current.Policy.Electors.Select(elector => ($"elector {elector.Name}", journal.Of(elector.Name))),
        .. current.Upstreams.Select(upstream => ($"upstream {upstream.Options.Name}", upstream.History)),
    ];

    private void Write()
    {
        var current = parts.Value;
        var now = (journal.Version, journal.HeardOut, current.Given.Count);
        if (_store is not null && now != _written)
        {
            _store.Write([.. Series(current).Select(series => (series.Name, series.History.Newest())), ("nars", current.Given.Newest())]);
            (_written, _writtenAt) = (now, Time.GetTimestamp());
        }
    }
}
