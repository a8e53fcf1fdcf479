using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Keeps rates of agreement over restarts: what changed is written once a minute at most, and at the end. Names of stored
/// decisions are read once, so that a search finds them.</summary>
internal sealed class AgreementKeeper(CurrentParts parts, DecisionJournal journal, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2), Interval = TimeSpan.FromMinutes(1);

    private readonly AgreementHistory _history = journal.Agreement;
    private AgreementStore? _store;
    private long _written;
    private long? _writtenAt;

    /// <summary>Writes the last changes.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        Write();
    }

    protected override IEnumerable<SupervisedLoop> Loops =>
    [
        new SupervisedLoop("agreement", parts.Value.Options.StateDirectory, Look, _ =>
        {
            if (_store is null)
            {
                var store = parts.Value.OpenAgreement();
                _history.Restore(store.Read(), store.ReadCounted());
                _store = store;
                RestoreNames();
            }

            if (_writtenAt is not { } at || Time.GetElapsedTime(at) >= Interval)
            {
                Write();
            }

            return Task.CompletedTask;
        }),
    ];

    private void RestoreNames()
    {
        var cache = parts.Value.Cache;
        foreach (var digest in cache.Newest(DecidedNames.Most))
        {
            if (cache.Peek(digest)?.Claim is { } claim)
            {
                journal.Names.Restore(claim.Path);
            }
        }
    }

    private void Write()
    {
        var version = _history.Version;
        if (_store is not null && version != _written)
        {
            _store.Write(_history.Newest(), _history.TakeCounted(), _history.Oldest);
            (_written, _writtenAt) = (version, Time.GetTimestamp());
        }
    }
}
