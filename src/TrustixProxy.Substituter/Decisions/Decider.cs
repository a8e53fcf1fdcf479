using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Metering;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Answers what is decided on a digest: out of the cache, or by asking everyone, once for all who want to know.</summary>
/// <param name="electorate">Who is asked, and who must agree.</param>
/// <param name="memory">What was decided before.</param>
/// <param name="bounds">How often is asked again, and how many paths are decided on at once.</param>
/// <param name="revocations">What is refused, whatever is decided.</param>
/// <param name="references">Takes the references of every path that is newly served.</param>
/// <param name="deadline">How long one request is held.</param>
/// <param name="logger">Logs refusals and late dissent.</param>
internal sealed class Decider(
    Electorate electorate,
    DeciderMemory memory,
    AskingBounds bounds,
    RevocationRegister revocations,
    ReferenceQueue references,
    TimeSpan deadline,
    ILogger logger) : IDisposable
{
    /// <summary>How often at most one kept decision is made anew because its NAR cannot be had.</summary>
    private static readonly TimeSpan RenewInterval = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<StorePathDigest, Lazy<Task<Decision>>> _underway = new();
    private readonly RefusalReports _reports = new(logger, electorate.Time);
    private readonly MemoryCache _renewed = new(new MemoryCacheOptions { SizeLimit = 50_000 });
    private readonly KnownNames _names = new();

    /// <summary>The decision on a digest. Waits for the deadline at the most.</summary>
    public ValueTask<Decision> DecideAsync(StorePathDigest digest, CancellationToken cancellation) =>
        DecideAsync(digest, null, cancellation);

    /// <summary>The decision on a digest that somebody knows by a full path.</summary>
    /// <param name="digest">The digest.</param>
    /// <param name="name">A full path of that digest that must be asked about; null when none is known. A kept decision on another path
    /// does not stand.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    public async ValueTask<Decision> DecideAsync(StorePathDigest digest, StorePath? name, CancellationToken cancellation)
    {
        if (revocations.Standing.Find(digest) is { } revocation)
        {
            return Refuse($"{digest}", revocation);
        }

        var known = memory.Cache.Find(digest);
        var isOfOtherName = name is not null && known?.Record.Claim is { } kept && kept.Path != name;
        if (isOfOtherName)
        {
            _names.Add(name!);
        }

        // The asking is not the client's: who comes later waits for the same, and who goes away ends nothing.
        var stands = known is not null && !isOfOtherName && !memory.Refusals.IsWithheld(digest.ToString()) && Stands(digest, known);
        var decision = stands ? known! : FindRefusal(digest, known) ?? await UnderwayAsync(digest, known, 0).WaitAsync(cancellation);
        return decision.Record.Claim is { } claim && revocations.Standing.Find(claim) is { } revoked ? Refuse($"{claim.Path}", revoked)
            : decision;
    }

    /// <summary>Decides before anyone asks; a request that comes meanwhile waits for the same.</summary>
    /// <param name="digest">The digest.</param>
    /// <param name="depth">How many references away from a request it is.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    public Task DecideAheadAsync(StorePathDigest digest, int depth, CancellationToken cancellation) =>
        memory.Cache.Find(digest) is null && memory.Refusals.Find(digest) is null
            ? UnderwayAsync(digest, null, depth).WaitAsync(cancellation) : Task.CompletedTask;

    /// <summary>The decision on a digest if it is in memory, and nothing has to be asked; else null. Makes no garbage.</summary>
    public Decision? FindWarm(ReadOnlySpan<char> digest)
    {
        if (memory.Cache.FindInMemory(digest) is not { } known || memory.Refusals.IsWithheld(digest)
            || !Stands(known.Record.Claim!.Path.Digest, known))
        {
            return null;
        }

        var standing = revocations.Standing;
        if (!standing.IsEmpty && (known.Record.Claim is not { } claim || standing.Find(claim) is not null))
        {
            return null;
        }

        DecisionMetrics.LookedUp(CacheTier.Memory, LookupResult.Hit);
        return known;
    }

    /// <summary>Decides anew in the background, because the NAR that the kept decision names could not be served: another upstream's may be
    /// named then. Until that is done, the decision stands.</summary>
    /// <remarks>Only for the NAR that the record names, and once a minute for each path: what a request says makes nothing void.</remarks>
    public void Renew(NarOrder order)
    {
        var digest = order.Claim.Path.Digest;
        if (memory.Cache.Find(digest) is { Record.Hints: { } hints } known && hints.Compression == order.Compression
            && hints.FileHash == order.FileHash && MayRenew(digest))
        {
            _ = UnderwayAsync(digest, known, 0);
        }
    }

    /// <summary>What the last decision on a digest rests on, as JSON; null when none is kept.</summary>
    public byte[]? FindBundle(StorePathDigest digest) =>
        memory.Refusals.Find(digest) is { } refusal ? refusal.Bundle?.Value.ToBytes() : memory.Cache.FindBundle(digest);

    /// <summary>How many digests are being decided on just now.</summary>
    public int Underway => bounds.Turns.Taken;

    public void Dispose()
    {
        bounds.Dispose();
        _names.Dispose();
        _renewed.Dispose();
    }

    /// <summary>The refusal that answers instead of asking: one that is alive, or any where the budget for asking again is used up. Null
    /// when it is to be asked.</summary>
    private Decision? FindRefusal(StorePathDigest digest, Decision? known)
    {
        if (_underway.ContainsKey(digest))
        {
            return null; // asked already: the answer is waited for
        }

        if (memory.Refusals.FindAlive(digest) is { } alive)
        {
            return alive.Decision;
        }

        var old = memory.Refusals.Find(digest)?.Decision ?? known;
        return old is null || bounds.Again.TryTake() ? null : old;
    }

    private bool MayRenew(StorePathDigest digest)
    {
        if (_renewed.TryGetValue(digest, out _) || !bounds.Again.TryTake())
        {
            return false;
        }

        Note(digest);
        return true;
    }

    private void Note(StorePathDigest digest) =>
        _renewed.Set(digest, true, new MemoryCacheEntryOptions { Size = 1, AbsoluteExpirationRelativeToNow = RenewInterval });

    /// <summary>Whether a kept decision is served as it is. One that leads to an upstream that is down is made anew first, once a
    /// minute.</summary>
    private bool Stands(StorePathDigest digest, Decision decision) =>
        LeadsSomewhere(decision.Record) || _renewed.TryGetValue(digest, out _);

    private bool LeadsSomewhere(DecisionRecord record)
    {
        if (record.Hints is not { Upstream: var name })
        {
            return true;
        }

        var areAllDown = true;
        foreach (var upstream in electorate.Upstreams)
        {
            var isDown = upstream.IsDown;
            if (!isDown && upstream.Options.Name == name)
            {
                return true;
            }

            areAllDown &= isDown;
        }

        return areAllDown || electorate.Store?.Holds(record) is true;
    }

    private Decision Refuse(string what, Revocation revocation) =>
        memory.Cache.Render(DecisionRecord.Refusal("revoked", $"{what}: {revocation.Sentence}", revocation.At));

    private Task<Decision> UnderwayAsync(StorePathDigest digest, Decision? before, int depth) =>
        _underway.GetOrAdd(digest, key => new Lazy<Task<Decision>>(() => AskAsync(key, before, depth))).Value;

    /// <param name="digest">What is asked about.</param>
    /// <param name="before">What was decided before, and is asked about again.</param>
    /// <param name="depth">How many references away from a request it is.</param>
    private async Task<Decision> AskAsync(StorePathDigest digest, Decision? before, int depth)
    {
        try
        {
            using var step = ProxyMeter.Step("decide", "digest", digest.ToString());
            var (start, news) = (electorate.Time.GetTimestamp(), memory.Refusals.News);
            if (before is not null || memory.Refusals.Find(digest) is not null)
            {
                bounds.Again.Begin();
            }

            var (known, turn) = memory.Shared is not { } shared ? default
                : await shared.WaitAsync(digest, found => AdoptAsync(digest, depth, found), deadline / 2);
            using var owned = turn;
            if (known is not null)
            {
                return known;
            }

            using var place = await bounds.Turns.TakeAsync(deadline / 2);
            if (place is null)
            {
                return before ?? memory.Refusals.Find(digest)?.Decision ?? RefuseCrowded();
            }

            var left = deadline - electorate.Time.GetElapsedTime(start);
            var deliberation = electorate.Poll(digest, left > deadline / 2 ? left : deadline / 2);
            var concluding = ConcludeAsync(digest, depth, deliberation.Outcome, news);
            var following = FollowAsync(deliberation, digest, NamesOf(digest, before), concluding);
            var decision = await concluding;
            bounds.Turns.Listens(deliberation, following);
            step?.SetTag("outcome", decision.Record.Outcome).SetTag("sentence", decision.Record.Sentence);
            return decision;
        }
        catch (Exception exception)
        {
            logger.DecidingFailed(exception, digest.ToString());
            return memory.Cache.Render(
                DecisionRecord.Refusal("undecided", "this proxy could not decide, by a fault of its own that its messages name",
                electorate.Time.GetUtcNow()), wasCutShort: true);
        }
        finally
        {
            _underway.TryRemove(digest, out _);
        }
    }

    /// <summary>Nothing could be asked in time: that is said, and not kept.</summary>
    private Decision RefuseCrowded() => memory.Cache.Render(
        DecisionRecord.Refusal(
            "undecided", $"this proxy decides on {bounds.Turns.Most:N0} other paths at once, which limits.concurrency bounds; ask again",
            electorate.Time.GetUtcNow()),
        wasCutShort: true);

    /// <summary>All names that are known for a digest: of the decision or refusal before, of references, and of what the NAR store
    /// holds.</summary>
    private ImmutableArray<StorePath> NamesOf(StorePathDigest digest, Decision? before) =>
        [.. new[] { before?.Record.Claim?.Path, memory.Refusals.Find(digest)?.Path, electorate.Store?.NameOf(digest) }
            .OfType<StorePath>().Concat(_names.Of(digest)).Distinct()];

    /// <summary>What another replica has decided, if it holds here.</summary>
    private async Task<Decision?> AdoptAsync(StorePathDigest digest, int depth, SharedDecision found)
    {
        var adopted = await memory.Cache.AdoptAsync(digest, found);
        if (adopted?.Record.Claim is { } claim)
        {
            memory.Refusals.Forget(digest);
            NoteReferences(claim, depth);
        }

        return adopted is not null && LeadsSomewhere(adopted.Record) ? adopted : null;
    }

    private void NoteReferences(OutputClaim claim, int depth)
    {
        foreach (var reference in claim.References)
        {
            _names.Add(reference);
        }

        references.Offer(claim, depth);
    }

    private async Task<Decision> ConcludeAsync(StorePathDigest digest, int depth, Task<Outcome> outcome, long news)
    {
        var start = electorate.Time.GetTimestamp();
        switch (await outcome)
        {
            case Outcome.Served served:
                NoteReferences(served.Record.Claim!, depth);
                memory.Journal.Decided(digest, served.Record.Claim!.Path, served.Record.Outcome, served.Record.Sentence, served.Verdict);
                DecisionMetrics.Decided(served.Record.Outcome, served.Verdict, electorate.Time.GetElapsedTime(start));
                memory.Refusals.Forget(digest);
                return await memory.Cache.KeepAsync(digest, served.Record, served.Record.Claim!.Path, served.Verdict);
            case Outcome.Refused refused:
                return Refuse(digest, refused, start, news);
            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    private Decision Refuse(StorePathDigest digest, Outcome.Refused refused, long start, long news)
    {
        var standing = memory.Cache.Find(digest) is { Record: { Claim: not null } record } known && !IsContradicted(record, refused) ? known
            : null;
        if (standing is not null && (refused.WasCutShort || refused.Word is not "no-upstream"))
        {
            Note(digest);
            memory.Refusals.Forget(digest);
            return standing; // asked again, nobody spoke against the agreement
        }

        _reports.Refused(digest.ToString(), refused.Word, refused.Sentence);
        memory.Journal.Decided(digest, refused.Path, refused.Word, refused.Sentence, refused.Verdict);
        DecisionMetrics.Decided(refused.Word, refused.Verdict, electorate.Time.GetElapsedTime(start));
        var withholds = standing is not null;
        if (!withholds)
        {
            memory.Cache.Forget(digest); // else the agreement is kept until an upstream has its NAR again
        }

        var refusal = RefusalOf(refused.Word, refused.Sentence, refused.Path, refused.Verdict, refused.IsSettled,
            refused.WasCutShort) with
        { Withholds = withholds };
        memory.Refusals.Keep(digest, refusal, news);
        return refusal.Decision;
    }

    /// <summary>Whether a later refusal speaks against a kept agreement: a second name is granted, or claims that it does not
    /// outvote.</summary>
    private bool IsContradicted(DecisionRecord kept, Outcome.Refused later) =>
        later.IsContested
            || (later.Names.GetValueOrDefault(kept.Claim!.Path) is { } verdict && !kept.StandsBeside(electorate.Policy, verdict));

    private KeptRefusal RefusalOf(string word, string sentence, StorePath? path, Verdict? verdict, bool isSettled, bool wasCutShort)
    {
        var record = DecisionRecord.Refusal(word, sentence, electorate.Time.GetUtcNow());
        var bundle = path is null || verdict is null ? null
            : new Lazy<DecisionBundle>(() => DecisionBundle.Of(path, record, verdict, electorate.Policy));
        var gist = KeptRefusal.GistOf(word, verdict);
        return new KeptRefusal(memory.Cache.Render(record, wasCutShort), gist, isSettled, Withholds: false, bundle) { Path = path };
    }

    /// <summary>Runs the asking to its end, past the answer: who comes late is still heard, once the answer is kept. A fault of ours is
    /// told, and leaves nobody waiting.</summary>
    private async Task FollowAsync(
        ElectorPoll deliberation, StorePathDigest digest, ImmutableArray<StorePath> names, Task<Decision> concluding)
    {
        var settling = () => Task.CompletedTask;
        Exception? fault = null;
        try
        {
            await deliberation.RunAsync(names, settlement => settling = () => SettleAsync(digest, settlement));
            fault = deliberation.Fault;
            await ((Task)concluding).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // who waits for it tells of its fault
            await (concluding.IsCompletedSuccessfully ? settling() : Task.CompletedTask);
        }
        catch (Exception exception)
        {
            fault = deliberation.Fail(exception) ? null : exception;
        }

        if (fault is not null)
        {
            logger.DecidingFailed(fault, digest.ToString());
        }
    }

    private async Task SettleAsync(StorePathDigest digest, Settlement settlement)
    {
        var (outcome, all, isSettled, contesting) = settlement;
        memory.Journal.Settled(digest, all);
        if (!contesting.IsEmpty)
        {
            foreach (var name in contesting.Append(outcome.Decided!))
            {
                _names.Add(name); // each of them is asked about from now on, whichever upstream is faster
            }

            Retract(digest, outcome);
        }
        else if (outcome is Outcome.Served served)
        {
            await SettleServedAsync(digest, served, all);
        }
        else if (outcome is Outcome.Refused { IsSettled: false, Path: { } asked } refused && isSettled && all.Granted is null
            && all.Outcome == refused.Word)
        {
            // it had left before everyone had spoken
            memory.Refusals.Amend(digest, RefusalOf(all.Outcome, all.Sentence, asked, all, isSettled, wasCutShort: false));
        }
    }

    /// <summary>Forgets what had left before another name of its digest was granted: the next request decides anew.</summary>
    private void Retract(StorePathDigest digest, Outcome outcome)
    {
        if (outcome is Outcome.Served)
        {
            memory.Cache.Forget(digest);
        }
        else
        {
            memory.Refusals.Forget(digest);
        }
    }

    private async Task SettleServedAsync(StorePathDigest digest, Outcome.Served served, Verdict all)
    {
        var (record, claim) = (served.Record, served.Record.Claim!);
        foreach (var dissent in all.Answers.Where(
            answer => answer.Ballot is Ballot.Claimed vote && vote.Claim != claim && !served.Verdict.Answers.Contains(answer)))
        {
            logger.LateDissent(claim.Path.ToString(), dissent.Elector.Name, all.Sentence);
            DecisionMetrics.LateDissent(dissent.Elector.Name);
        }

        if (all.Granted == claim)
        {
            if (!record.IsSigned || all.Sentence != record.Sentence)
            {
                await memory.Cache.KeepAsync(digest, DecisionRecord.Of(all, record.Hints!, electorate.Time.GetUtcNow()), claim.Path, all);
            }
        }
        else if (record.IsSigned)
        {
            memory.Cache.Forget(digest);
        }
    }
}
