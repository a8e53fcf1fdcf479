using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Concludes from what one poll has heard, as soon as nothing can change the outcome.</summary>
/// <remarks>The first of these that holds is the outcome:
/// <code>
/// fallback            report mode: what the fallback signed
/// conflict            two names are granted
/// granted             the policy grants a claim, and an upstream has its NAR
/// content-addressed   nobody grants it, but its content makes the path
/// refused             everyone has spoken, or the deadline has passed
/// </code></remarks>
/// <param name="digest">The digest that is asked about.</param>
/// <param name="policy">Judges the ballots.</param>
/// <param name="upstreams">The upstreams' answers.</param>
/// <param name="grace">How long a better upstream is waited for.</param>
/// <param name="patience">How long a verdict is waited for where none is needed.</param>
internal sealed class PollConclusions(
    StorePathDigest digest, Policy policy, CandidateBallots candidates, UpstreamPoll upstreams, PollWait grace, PollWait patience)
{
    /// <summary>Whether no answer that is still to come can change anything.</summary>
    public bool IsSettled => upstreams.IsSettled && candidates.AreSettled;

    /// <summary>Concludes; null while the outcome is open. Begins the waits that it needs.</summary>
    /// <param name="isLate">Whether the deadline has passed.</param>
    public PollResult? Conclude(bool isLate, DateTimeOffset now)
    {
        var verdicts = candidates.DecideEach(isLate, now);
        var choice = NameChoice.Of([.. verdicts.Select(name =>
            new NameVerdict(name.Key, name.Value, name.Value is null && candidates[name.Key].MayBeGranted(name.Key, now)))]);
        var tally = new Tally(verdicts, choice.Granted, isLate, now);
        return choice.IsOpen || (policy.Fallback is { } name && !isLate && IsOpen(name)) ? null
            : Fallback(tally) ?? Contest(choice) ?? Grant(tally) ?? ContentAddressed(tally)
                ?? (PollResult?)(Refuse(tally) is { } refused ? refused with { Names = verdicts } : null);
    }

    /// <summary>Whether the fallback may still sign a name.</summary>
    private bool IsOpen(string fallback) => candidates.Of(fallback).Any(word => word.Ballot is null or { IsFirm: false });

    /// <summary>In report mode, serves what the fallback signed with the fallback's signature, whatever the verdict.</summary>
    private PollResult.Served? Fallback(Tally tally)
    {
        if (policy.Fallback is not { } name)
        {
            return null;
        }

        foreach (var (path, ballot) in candidates.Of(name))
        {
            if (ballot is Ballot.Claimed { Proof: VoteProof.BySignature { Signature: var signature } } vote
                && tally.Granted?.Granted != vote.Claim
                && Unvouched(path, tally) is { } verdict && HintsFor(vote.Claim, tally) is { } hints)
            {
                var sentence = $"{verdict.Outcome.Word()}: {verdict.Sentence}";
                return new PollResult.Served(
                    DecisionRecord.OfFallback(vote.Claim, hints with { Signatures = [signature] }, sentence, tally.Now), verdict)
                {
                    Derivers = upstreams.DeriversOf(path),
                };
            }
        }

        return null;
    }

    /// <summary>Refuses two granted names of one digest: neither may take the other's place.</summary>
    private PollResult.Refused? Contest(NameChoice choice) =>
        choice.Contested.IsEmpty ? null
            : new PollResult.Refused(Outcome.Conflict, choice.Sentence, null, null, IsSettled, WasCutShort: false) { IsContested = true };

    /// <summary>Serves what is granted, once the best upstream that answers in time has its NAR.</summary>
    private PollResult.Served? Grant(Tally tally) =>
        tally.Granted is { Granted: { } claim } granted && HintsFor(claim, tally) is { } hints
            ? new PollResult.Served(DecisionRecord.Of(granted, hints, tally.Now), granted) : null;

    /// <summary>Serves what nobody grants when an upstream's content address makes the path.</summary>
    private PollResult.Served? ContentAddressed(Tally tally)
    {
        if (tally.Granted is not null || !policy.ServesContentAddressed || upstreams.FindContentAddressed(digest) is not var (claim, hints)
            || Unvouched(claim.Path, tally) is not { } verdict)
        {
            return null;
        }

        var isSettled = candidates[claim.Path].AreSettled;
        return new PollResult.Served(
            DecisionRecord.OfContentAddress(claim, hints, $"content-addressed; {verdict.Sentence}", tally.Now, isSettled), verdict);
    }

    private NarHints? HintsFor(OutputClaim claim, Tally tally)
    {
        var hints = upstreams.HintsFor(claim, mustBeBest: !grace.IsOver && !tally.IsLate);
        if (hints is null)
        {
            grace.Begin();
        }

        return hints;
    }

    /// <summary>The verdict on a path that can be served without one. An open verdict is waited for, but less long than the
    /// deadline.</summary>
    private Verdict? Unvouched(StorePath path, Tally tally)
    {
        if (tally.Verdicts[path] is { } verdict)
        {
            return verdict;
        }

        patience.Begin();
        return patience.IsOver ? candidates.Decide(path) : null;
    }

    private PollResult.Refused? Refuse(Tally tally)
    {
        if (tally.Granted is not null)
        {
            return RefuseForNoUpstream(tally.Granted, tally.IsLate);
        }

        var verdicts = tally.Verdicts;
        var isNameCertain = verdicts.Values.Any(verdict => verdict?.IsNameCertain is true);
        var isOpen = verdicts.ContainsValue(null) || !(upstreams.HaveAllSpoken || isNameCertain);
        if (isOpen && !tally.IsLate)
        {
            return null;
        }

        var isNamed = verdicts.Values.Any(verdict => verdict is not null && Claims(verdict) > 0);
        var wasCutShort = tally.IsLate || (upstreams.HasOpenFailure && !isNamed);
        var (path, fullest) = verdicts.DefaultIfEmpty().MaxBy(verdict => verdict.Value is null ? -1 : Claims(verdict.Value));
        return fullest is null
            ? new PollResult.Refused(
                Outcome.NoUpstream, $"no upstream has {digest}{upstreams.Complaint}", null, null, upstreams.IsSettled, wasCutShort)
            : new PollResult.Refused(
                fullest.Outcome, fullest.Sentence + upstreams.Complaint, path, fullest, IsSettled && IsFirm(fullest), wasCutShort)
            {
                Derivers = upstreams.DeriversOf(path),
            };
    }

    /// <summary>Refuses what is granted when no upstream has its NAR.</summary>
    private PollResult.Refused? RefuseForNoUpstream(Verdict granted, bool isLate) =>
        upstreams.HaveAllSpoken || isLate
            ? new PollResult.Refused(
                Outcome.NoUpstream, $"{granted.Sentence}; {granted.Outcome.Word()}, but no upstream has that NAR{upstreams.Complaint}",
                granted.Granted!.Path, granted, IsSettled && IsFirm(granted), upstreams.HasOpenFailure || !upstreams.HaveAllSpoken)
            : null;

    private static int Claims(Verdict verdict) => verdict.Answers.Count(answer => answer.Ballot is Ballot.Claimed);

    private static bool IsFirm(Verdict verdict) => verdict.Answers.All(answer => answer.Ballot.IsFirm);

    /// <param name="Verdicts">The verdict on every name; null for one that is open.</param>
    /// <param name="Granted">The verdict that grants a claim; null when there is none.</param>
    /// <param name="IsLate">Whether the deadline has passed.</param>
    private sealed record Tally(Dictionary<StorePath, Verdict?> Verdicts, Verdict? Granted, bool IsLate, DateTimeOffset Now);
}
