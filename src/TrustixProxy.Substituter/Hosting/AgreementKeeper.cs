using Microsoft.Extensions.Logging;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Keeps rates of agreement over restarts. Reads the names of stored decisions once, so that a search finds them.</summary>
internal sealed class AgreementKeeper(CurrentParts parts, DecisionJournal journal, TimeProvider time, ILogger logger)
    : HistoryService("agreement", parts, time, logger)
{
    private readonly AgreementHistory _history = journal.Agreement;
    private AgreementStore? _store;
    private long _written;

    protected override void Open()
    {
        var store = Current.OpenAgreement();
        _history.Restore(store.Read(), store.ReadCounted());
        _store = store;
        RestoreNames();
    }

    protected override bool TryWrite()
    {
        var version = _history.Version;
        if (version == _written)
        {
            return false;
        }

        _store!.Write(_history.Newest(), _history.TakeCounted(), _history.Oldest);
        _written = version;
        return true;
    }

    private void RestoreNames()
    {
        var cache = Current.Cache;
        foreach (var digest in cache.Newest(DecidedNames.Most))
        {
            if (cache.Peek(digest)?.Claim is { } claim)
            {
                journal.Names.Restore(claim.Path);
            }
        }
    }
}
