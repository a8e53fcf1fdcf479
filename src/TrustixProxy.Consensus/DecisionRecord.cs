using System.Collections.Immutable;
using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>The source of an agreed claim's NAR, and the remaining narinfo fields. Unsigned hints: they decide nothing.</summary>
/// <param name="Compression">The compression on the way to the client.</param>
/// <param name="FileHash">SHA-256 of the compressed NAR, as an upstream names it.</param>
/// <param name="FileSize">Length of the compressed NAR in bytes; null when no upstream names it.</param>
/// <param name="Deriver">The derivation that built it; null when unknown.</param>
/// <param name="ContentAddress">A content address that fits the claim; null when there is none.</param>
/// <param name="Signatures">Well-formed signatures of the claim by others.</param>
/// <param name="Upstream">The upstream that claims to have the NAR in this form.</param>
public sealed record NarHints(
    string Compression, NixHash FileHash, long? FileSize, StorePath? Deriver, ContentAddress? ContentAddress,
        ImmutableArray<CacheSignature> Signatures, string Upstream);

/// <summary>A stored decision. Created from a verdict, or by <see cref="DecisionSeal.TryOpen"/> from bytes with our MAC.</summary>
public sealed class DecisionRecord
{
    /// <summary>How long an agreement is kept: 30 days, as long as clients cache a narinfo.</summary>
    public static readonly TimeSpan AgreementLifetime = TimeSpan.FromDays(30);

    /// <summary>How long a refusal is kept after every elector answered.</summary>
    public static readonly TimeSpan RefusalLifetime = TimeSpan.FromSeconds(60);

    internal DecisionRecord(Outcome outcome, string sentence, DateTimeOffset decidedAt, DateTimeOffset expiresAt, OutputClaim? claim,
        CountedBallots ballots, NarHints? hints) =>
        (Outcome, Sentence, DecidedAt, ExpiresAt, Claim, Ballots, Hints) = (outcome, sentence, decidedAt, expiresAt, claim, ballots, hints);

    /// <summary>What is decided; its word is sent in <c>X-Trustix-Decision</c>.</summary>
    public Outcome Outcome { get; }

    /// <summary>The reason in one line.</summary>
    public string Sentence { get; }

    /// <summary>The time of the decision.</summary>
    public DateTimeOffset DecidedAt { get; }

    /// <summary>The time at which it expires.</summary>
    public DateTimeOffset ExpiresAt { get; }

    /// <summary>The claim served; null for a refusal.</summary>
    public OutputClaim? Claim { get; }

    /// <summary>All ballots counted in it: none for a refusal, and for what is served without a vote.</summary>
    public CountedBallots Ballots { get; }

    /// <summary>The source of the NAR; null for a refusal.</summary>
    public NarHints? Hints { get; }

    /// <summary>Whether our key signs the narinfo: only what electors vouch for.</summary>
    public bool IsSigned => Outcome is Outcome.Agreed or Outcome.Excepted;

    /// <summary>Whether it rests on an exception, not on a quorum.</summary>
    public bool IsExcepted => Outcome is Outcome.Excepted;

    /// <summary>Whether it is served in report mode solely because of the fallback.</summary>
    public bool IsOfFallback => Outcome is Outcome.Report;

    /// <summary>The content address the NAR must have, because no elector vouches for it; otherwise null.</summary>
    public ContentAddress? MustMatch => Outcome is Outcome.ContentAddressed ? Hints!.ContentAddress : null;

    /// <summary>Creates the record of what a quorum, or an exception, grants.</summary>
    /// <exception cref="ArgumentException">The verdict is a refusal.</exception>
    public static DecisionRecord Of(Verdict verdict, NarHints hints, DateTimeOffset decidedAt)
    {
        var claim = verdict.Granted ?? throw new ArgumentException("A refusal grants nothing.", nameof(verdict));
        var until = verdict is Verdict.Excepted { Exception.Expires: var expires } && expires < decidedAt + AgreementLifetime ? expires
            : decidedAt + AgreementLifetime;
        return new DecisionRecord(verdict.Outcome, verdict.Sentence, decidedAt, until, claim, CountedBallots.Of(verdict), hints);
    }

    /// <summary>Creates the record of what is served by its content address.</summary>
    /// <param name="claim">An upstream's claim; its content address determines the path.</param>
    /// <param name="hints">The NAR's source, with that address.</param>
    /// <param name="sentence">The reason in one line.</param>
    /// <param name="decidedAt">The time of the decision.</param>
    /// <param name="isSettled">Whether every elector answered; if not, it is decided again soon.</param>
    /// <exception cref="ArgumentException">The address does not yield the path.</exception>
    public static DecisionRecord OfContentAddress(
        OutputClaim claim, NarHints hints, string sentence, DateTimeOffset decidedAt, bool isSettled) =>
        hints.ContentAddress?.Matches(claim.Path, claim.References, claim.NarHash) is true
            ? new(Outcome.ContentAddressed, sentence, decidedAt, decidedAt + (isSettled ? AgreementLifetime : RefusalLifetime), claim,
                CountedBallots.None, hints)
            : throw new ArgumentException("That address does not make the path.", nameof(hints));

    /// <summary>Creates the record of what report mode's fallback serves; the hints must include the fallback's signature.</summary>
    public static DecisionRecord OfFallback(OutputClaim claim, NarHints hints, string sentence, DateTimeOffset decidedAt) =>
        new(Outcome.Report, sentence, decidedAt, decidedAt + RefusalLifetime, claim, CountedBallots.None, hints);

    /// <summary>Creates the record of a refusal.</summary>
    /// <param name="outcome">Why nothing is served.</param>
    /// <param name="sentence">The reason in one line.</param>
    /// <param name="decidedAt">The time of the decision.</param>
    public static DecisionRecord Refusal(Outcome outcome, string sentence, DateTimeOffset decidedAt) =>
        new(outcome, sentence, decidedAt, decidedAt + RefusalLifetime, null, CountedBallots.None, null);

    /// <summary>Creates the record that cancels all decisions made before it.</summary>
    public static DecisionRecord Void(DateTimeOffset decidedAt) =>
        new(Outcome.Void, "", decidedAt, decidedAt + AgreementLifetime, null, CountedBallots.None, null);

    /// <summary>Whether the policy still grants the same without some electors, judged as a fresh decision.</summary>
    /// <param name="policy">The policy it was decided under.</param>
    /// <param name="frozen">Names of excluded electors.</param>
    /// <param name="hasLostTrust">Whether a vote is revoked, or its witnesses were seen too long ago.</param>
    public bool StandsWithout(Policy policy, IReadOnlySet<string> frozen, Func<Vote, bool> hasLostTrust)
    {
        if (Claim is null || Ballots.Votes.IsEmpty)
        {
            return true;
        }

        return Grants(policy, Ballots.Without(policy, frozen, hasLostTrust));
    }

    /// <summary>Decides whether the policy still grants the same when later answers join this record's ballots.</summary>
    /// <param name="policy">The policy it was decided under.</param>
    /// <param name="later">The verdict of a later poll on the same path. A claim replaces its elector's vote; an absence or a silence does
    /// not.</param>
    /// <param name="frozen">Names of frozen electors; their kept votes do not count.</param>
    /// <param name="hasLostTrust">Whether a kept vote is revoked, or its witnesses were seen too long ago.</param>
    /// <remarks>A log cannot take back a proven claim: it can only show an older head, or vanish. So only another claim counts against the
    /// record.</remarks>
    public bool StandsBeside(Policy policy, Verdict later, IReadOnlySet<string> frozen, Func<Vote, bool> hasLostTrust)
    {
        var claims = later.Answers.Where(answer => answer.Ballot is Ballot.Claimed).ToList();
        if (Claim is null || Ballots.Votes.IsEmpty)
        {
            return claims.TrueForAll(answer => ((Ballot.Claimed)answer.Ballot).Claim == Claim);
        }

        var ballots = Ballots.Without(policy, frozen, hasLostTrust);
        foreach (var answer in claims)
        {
            ballots[answer.Elector.Name] = answer.Ballot;
        }

        return Grants(policy, ballots);
    }

    private bool Grants(Policy policy, Dictionary<string, Ballot> ballots) =>
        policy.TryDecide(Claim!.Path, ballots, out var verdict)
        && (IsExcepted ? policy.Except(Claim.Path, verdict, DecidedAt) : verdict).Granted == Claim;
}
