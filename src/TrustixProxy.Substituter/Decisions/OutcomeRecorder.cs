using System.Diagnostics;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Wanted;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Keeps what a poll concludes, and corrects it when late answers change it.</summary>
/// <remarks>
/// <code>
/// outcome ──────▶ kept as an agreement or a refusal, and answered
/// settlement ───▶ confirms it, completes it, or takes it back: the next request decides anew
/// </code></remarks>
/// <param name="electorate">The electors that were asked, and their policy.</param>
/// <param name="memory">Where agreements and refusals are kept.</param>
/// <param name="references">Takes the references of every path that is newly served.</param>
/// <param name="names">Takes names that must be asked about.</param>
/// <param name="renewals">Notes which kept decision was just confirmed.</param>
/// <param name="logger">Logs refusals and late dissent.</param>
internal sealed class OutcomeRecorder(
    Electorate electorate,
    DeciderMemory memory,
    ReferenceQueue references,
    KnownNames names,
    DecisionRenewals renewals,
    ILogger logger)
{
    private readonly RefusalReports _reports = new(logger, electorate.Time);

    /// <summary>Keeps a result as the decision on a digest.</summary>
    /// <param name="depth">How many references lie between a request and the digest.</param>
    /// <param name="result">The result, awaited here.</param>
    /// <param name="news">The state of the news when the poll began.</param>
    public async Task<Decision> RecordAsync(StorePathDigest digest, int depth, Task<PollResult> result, NewsMark news)
    {
        var start = electorate.Time.GetTimestamp();
        switch (await result)
        {
            case PollResult.Served served:
                var claim = served.Record.Claim!;
                NoteReferences(claim, depth);
                var took = electorate.Time.GetElapsedTime(start);
                memory.Journal.Decided(digest, claim.Path, served.Record.Outcome, served.Record.Sentence, served.Verdict, took);
                DecisionMetrics.Decided(served.Record.Outcome, served.Verdict, took);
                memory.Refusals.Forget(digest);
                var kept = await memory.Cache.KeepAsync(digest, served.Record, claim.Path, served.Verdict);
                NoteWanted(digest, kept, WantedPath.Of(claim.Path, served.Verdict, served.Derivers));
                return kept;
            case PollResult.Refused refused:
                return Refuse(digest, refused, start, news);
            default:
                throw new UnreachableException();
        }
    }

    /// <summary>Adopts the decision of another replica; null when it does not hold here, or its NAR cannot be fetched.</summary>
    public async Task<Decision?> AdoptAsync(StorePathDigest digest, int depth, SharedDecision found)
    {
        var adopted = await memory.Cache.AdoptAsync(digest, found);
        if (adopted?.Record.Claim is { } claim)
        {
            memory.Refusals.Forget(digest);
            NoteReferences(claim, depth);
            NoteWanted(digest, adopted, null);
        }

        return adopted is not null && renewals.LeadsSomewhere(adopted.Record) ? adopted : null;
    }

    /// <summary>Corrects a kept decision by all answers, late ones included.</summary>
    public async Task SettleAsync(StorePathDigest digest, Settlement settlement)
    {
        var (result, all, isSettled, contesting) = settlement;
        memory.Journal.Settled(digest, settlement);
        if (!contesting.IsEmpty)
        {
            foreach (var name in contesting.Append(result.Decided!))
            {
                names.Add(name); // later polls ask about each of them, whichever upstream is faster
            }

            Retract(digest, result);
        }
        else if (result is PollResult.Served served)
        {
            await SettleServedAsync(digest, served, all);
        }
        else if (result is PollResult.Refused { IsSettled: false, Path: { } asked } refused && isSettled && all.Granted is null
            && all.Outcome == refused.Outcome)
        {
            // The refusal was sent before everyone had answered: now its reason is complete.
            var complete = new PollResult.Refused(all.Outcome, all.Sentence, asked, all, isSettled, WasCutShort: false)
            {
                Derivers = result.Derivers,
            };
            memory.Refusals.Amend(digest, RefusalOf(complete));
        }
    }

    /// <summary>Notes what a served path lacks. One that was decided leaves the work list; one that only the fallback vouches for
    /// stays.</summary>
    private void NoteWanted(StorePathDigest digest, Decision served, WantedPath? wanted)
    {
        if (served.Record.IsOfFallback)
        {
            served.Wanted = wanted;
        }
        else
        {
            memory.Wanted?.Settle(digest);
        }
    }

    private void NoteReferences(OutputClaim claim, int depth)
    {
        foreach (var reference in claim.References)
        {
            names.Add(reference);
        }

        references.Offer(claim, depth);
    }

    /// <summary>Keeps a refusal, unless an agreement is kept that nobody contradicts.</summary>
    private Decision Refuse(StorePathDigest digest, PollResult.Refused refused, long start, NewsMark news)
    {
        var standing = memory.Cache.Find(digest) is { Record: { Claim: not null } record } known && !IsContradicted(record, refused) ? known
            : null;
        if (standing is not null && (refused.WasCutShort || refused.Outcome is not Outcome.NoUpstream))
        {
            renewals.Note(digest);
            memory.Refusals.Forget(digest);
            return standing; // asked again, nobody contradicted the agreement
        }

        _reports.Refused(digest.ToString(), refused.Outcome, refused.Sentence);
        var took = electorate.Time.GetElapsedTime(start);
        memory.Journal.Decided(digest, refused.Path, refused.Outcome, refused.Sentence, refused.Verdict, took);
        DecisionMetrics.Decided(refused.Outcome, refused.Verdict, took);
        var withholds = standing is not null;
        if (!withholds)
        {
            memory.Cache.Forget(digest); // otherwise the agreement is kept until an upstream has its NAR again
        }

        var refusal = RefusalOf(refused) with { Withholds = withholds };
        memory.Refusals.Keep(digest, refusal, news);
        return refusal.Decision;
    }

    /// <summary>Whether a later refusal ends a kept decision: a second name is granted, or claims speak against it that the policy does not
    /// outvote. A decision that no elector vouched for ends by every later refusal that was not cut short.</summary>
    private bool IsContradicted(DecisionRecord kept, PollResult.Refused later) =>
        later.IsContested
            || (!kept.IsSigned && !later.WasCutShort && later.Outcome is not Outcome.NoUpstream)
            || (later.Names.GetValueOrDefault(kept.Claim!.Path) is { } verdict && !memory.Cache.StandsBeside(kept, verdict));

    private KeptRefusal RefusalOf(PollResult.Refused refused)
    {
        var (outcome, sentence, path, verdict, isSettled, wasCutShort) = refused;
        var record = DecisionRecord.Refusal(outcome, sentence, electorate.Time.GetUtcNow());
        var bundle = path is null || verdict is null ? null
            : new Lazy<DecisionBundle>(() => DecisionBundle.Of(path, record, verdict, electorate.Policy));
        var gist = KeptRefusal.GistOf(outcome, verdict);
        var decision = memory.Cache.Render(record, wasCutShort);
        decision.Wanted = WantedPath.Of(path, verdict, refused.Derivers);
        return new KeptRefusal(decision, gist, isSettled, Withholds: false, bundle) { Path = path };
    }

    /// <summary>Forgets an answer that was sent before another name of its digest was granted. The next request decides anew.</summary>
    private void Retract(StorePathDigest digest, PollResult result)
    {
        if (result is PollResult.Served)
        {
            memory.Cache.Forget(digest);
        }
        else
        {
            memory.Refusals.Forget(digest);
        }
    }

    private async Task SettleServedAsync(StorePathDigest digest, PollResult.Served served, Verdict all)
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
