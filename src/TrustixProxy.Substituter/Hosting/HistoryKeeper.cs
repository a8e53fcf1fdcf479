using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Metering;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Keeps what charts show over restarts.</summary>
internal sealed class HistoryKeeper(CurrentParts parts, DecisionJournal journal, TimeProvider time, ILogger logger)
    : HistoryService("history", parts, time, logger)
{
    private HistoryStore? _store;
    private (long Decisions, long Polls, long Nars) _written;

    protected override void Open()
    {
        var store = Current.OpenHistory();
        foreach (var (series, history) in Series(Current))
        {
            history.Restore(store.Read(series));
        }

        Current.Given.Restore(store.Read("nars"));
        _store = store;
    }

    protected override bool TryWrite()
    {
        var current = Current;
        var now = (journal.Version, journal.HeardOut, current.Given.Count);
        if (now == _written)
        {
            return false;
        }

        _store!.Write([.. Series(current).Select(series => (series.Name, series.History.Newest())), ("nars", current.Given.Newest())]);
        _written = now;
        return true;
    }

    private IEnumerable<(string Name, AnswerHistory History)> Series(ProxyParts current) =>
    [
        ("decisions", journal.Durations),
        .. current.Policy.Electors.Select(elector => ($"elector {elector.Name}", journal.Of(elector.Name))),
        .. current.Upstreams.Select(upstream => ($"upstream {upstream.Options.Name}", upstream.History)),
    ];
}
