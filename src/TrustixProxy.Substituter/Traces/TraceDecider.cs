using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Traces;

/// <summary>What was decided on a build trace.</summary>
/// <param name="Outcome">The outcome.</param>
/// <param name="Record">What is agreed on; null for a refusal.</param>
/// <param name="Sentence">The reason in one line.</param>
internal sealed record TraceDecision(Outcome Outcome, TraceRecord? Record, string Sentence)
{
    /// <summary>Whether an elector that missed the deadline could have changed it.</summary>
    public bool WasCutShort { get; init; }

    /// <summary>The trace with our signature, made and recorded when it is first wanted; null for a refusal.</summary>
    public Lazy<Task<byte[]>>? Signed { get; init; }
}

/// <summary>Decides on build traces: from memory, disk or another replica, otherwise by a poll of all signed caches. Requests for one key
/// share its poll.</summary>
/// <remarks>Electors that sign no traces (logs, proof files, rebuilders on lila) are declared electors all the same: they count, and are
/// silent. Whether the output's path may be served is decided apart.</remarks>
/// <param name="caches">The electors that sign traces.</param>
/// <param name="signer">Signs what is agreed on; nobody else's signature goes along.</param>
/// <param name="deadline">How long one request is held.</param>
internal sealed class TraceDecider(ImmutableArray<TraceElector> caches, Policy policy, TraceStore store, NarInfoSigner signer,
    TimeSpan deadline, TimeProvider time, ILogger logger)
    : IDisposable
{
    /// <summary>Maximum number of polls at once; more wait.</summary>
    private const int MaxAtOnce = 64;

    private readonly SemaphoreSlim _turns = new(MaxAtOnce);
    private readonly ConcurrentDictionary<TraceKey, Lazy<Task<TraceDecision>>> _underway = new();
    private readonly MemoryCache _known = new(new MemoryCacheOptions { SizeLimit = 10_000 });

    /// <summary>The agreements on disk.</summary>
    public TraceStore Kept => store;

    /// <summary>Decides on a key. Takes at most two deadlines: one for its turn, one for its poll; and briefly for Redis.</summary>
    public async Task<TraceDecision> DecideAsync(TraceKey key, CancellationToken cancellation) =>
        Recall(key) ?? await _underway.GetOrAdd(key, next => new Lazy<Task<TraceDecision>>(() => PollAsync(next)))
            .Value.WaitAsync(cancellation);

    public void Dispose()
    {
        _turns.Dispose();
        _known.Dispose();
    }

    private TraceDecision? Recall(TraceKey key)
    {
        if (_known.TryGetValue(key, out (TraceDecision Decision, DateTimeOffset Until) known) && known.Until > time.GetUtcNow())
        {
            return known.Decision;
        }

        return Believe(store.Find(key));
    }

    /// <summary>Makes a decision of an agreement that was kept; null when there was none.</summary>
    private TraceDecision? Believe(TraceRecord? record)
    {
        if (record is null)
        {
            return null;
        }

        var decision = Agreement(record, $"agreed to be {record.OutPath}");
        Remember(record.Key, decision, record.ExpiresAt);
        return decision;
    }

    private TraceDecision Agreement(TraceRecord record, string sentence) =>
        new(Outcome.Agreed, record, $"{record.Key.Text}: {sentence}") { Signed = new Lazy<Task<byte[]>>(() => SignAsync(record)) };

    private async Task<byte[]> SignAsync(TraceRecord record)
    {
        await store.AuditAsync(record);
        return signer.Render(record);
    }

    private void Remember(TraceKey key, TraceDecision decision, DateTimeOffset until) =>
        _known.Set(key, (decision, until), new MemoryCacheEntryOptions { Size = 1 });

    private async Task<TraceDecision> PollAsync(TraceKey key)
    {
        try
        {
            if (!await _turns.WaitAsync(deadline))
            {
                return new TraceDecision(Outcome.Undecided, null, $"{key.Text}: too many outputs are being decided on")
                {
                    WasCutShort = true,
                };
            }

            try
            {
                return Recall(key) ?? Believe(await store.AdoptAsync(key)) ?? await AskAllAsync(key); // a poll may just have ended
            }
            finally
            {
                _turns.Release();
            }
        }
        finally
        {
            _underway.TryRemove(key, out _);
        }
    }

    private async Task<TraceDecision> AskAllAsync(TraceKey key)
    {
        using var late = new CancellationTokenSource(deadline, time);
        var pending = caches.Select(cache => cache.AskAsync(key, late.Token)).ToList();
        var ballots = policy.Electors.Where(elector => caches.All(cache => cache.Name != elector.Name))
            .ToDictionary(elector => elector.Name, _ => TraceBallot.NoElector);
        var isFirm = true;
        TraceVerdict? verdict;
        while (!policy.TryDecide(key, ballots, out verdict))
        {
            var answered = await Task.WhenAny(pending);
            pending.Remove(answered);
            var answer = await answered;
            ballots[answer.Elector] = answer.Ballot;
            isFirm &= answer.IsFirm;
        }

        await late.CancelAsync(); // nothing could change it any more
        return Conclude(key, verdict, isFirm);
    }

    private TraceDecision Conclude(TraceKey key, TraceVerdict verdict, bool isFirm)
    {
        var now = time.GetUtcNow();
        var record = verdict.Granted is null ? null : TraceRecord.Of(verdict, now);
        var decision = record is not null ? Agreement(record, verdict.Sentence)
            : new TraceDecision(verdict.Outcome, null, $"{key.Text}: {verdict.Sentence}") { WasCutShort = !isFirm };
        if (record is not null)
        {
            store.Keep(record);
            Remember(key, decision, record.ExpiresAt);
        }
        else if (isFirm)
        {
            Remember(key, decision, now + DecisionRecord.RefusalLifetime);
        }

        if (verdict.Outcome is Outcome.Conflict)
        {
            logger.TraceConflict(key.Text, verdict.Sentence);
        }

        return decision;
    }
}
