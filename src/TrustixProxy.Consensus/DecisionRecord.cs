using System.Collections.Frozen;
using System.Collections.Immutable;
using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>Where the NAR of an agreed claim comes from, and what goes into its narinfo beside the claim. Unsigned hints: none of it
/// decides anything.</summary>
/// <param name="Compression">How it is compressed on the way to the client.</param>
/// <param name="FileHash">SHA-256 of the compressed NAR, as an upstream names it.</param>
/// <param name="FileSize">Length of the compressed NAR in bytes; null when no upstream names it.</param>
/// <param name="Deriver">The derivation that made it; null when unknown.</param>
/// <param name="ContentAddress">A content address that was seen to fit the claim; null when there is none.</param>
/// <param name="Signatures">Well-formed signatures of the claim by others.</param>
/// <param name="Upstream">Name of the upstream that says it has the NAR in this form.</param>
public sealed record NarHints(
    string Compression, NixHash FileHash, long? FileSize, StorePath? Deriver, ContentAddress? ContentAddress,
        ImmutableArray<NixSignature> Signatures, string Upstream);

/// <summary>A decision as it is remembered. Made of a verdict, or by <see cref="DecisionSeal.TryOpen"/> of bytes that bear our
/// MAC.</summary>
public sealed class DecisionRecord
{
    private const string AgreedWord = "agreed", ExceptedWord = "excepted", ContentAddressedWord = "content-addressed",
        ReportWord = "report", VoidWord = "void";

    /// <summary>How long an agreement is remembered: 30 days, as long as clients remember a narinfo.</summary>
    public static readonly TimeSpan AgreementLifetime = TimeSpan.FromDays(30);

    /// <summary>How long a refusal is remembered, when every elector has spoken.</summary>
    public static readonly TimeSpan RefusalLifetime = TimeSpan.FromSeconds(60);

    internal DecisionRecord(string outcome, string sentence, DateTimeOffset decidedAt, DateTimeOffset expiresAt, OutputClaim? claim,
        CountedBallots ballots, NarHints? hints) =>
        (Outcome, Sentence, DecidedAt, ExpiresAt, Claim, Ballots, Hints) = (outcome, sentence, decidedAt, expiresAt, claim, ballots, hints);

    /// <summary>The word that stands in <c>X-Trustix-Decision</c>.</summary>
    public string Outcome { get; }

    /// <summary>The reason in one line.</summary>
    public string Sentence { get; }

    /// <summary>When it was decided.</summary>
    public DateTimeOffset DecidedAt { get; }

    /// <summary>When it is no longer believed.</summary>
    public DateTimeOffset ExpiresAt { get; }

    /// <summary>What is served; null for a refusal.</summary>
    public OutputClaim? Claim { get; }

    /// <summary>All ballots that counted when it was made: none for a refusal, and for what is served without a vote.</summary>
    public CountedBallots Ballots { get; }

    /// <summary>Where the NAR comes from; null for a refusal.</summary>
    public NarHints? Hints { get; }

    /// <summary>Whether our key vouches for it: for what electors vouch for, and for nothing else.</summary>
    public bool IsSigned => Outcome is AgreedWord or ExceptedWord;

    /// <summary>Whether it is no decision, but says that those which were made before it hold no longer.</summary>
    public bool IsVoid => Outcome is VoidWord;

    /// <summary>Whether it rests on an exception, and on no quorum.</summary>
    public bool IsExcepted => Outcome is ExceptedWord;

    /// <summary>Whether it is served in report mode because the fallback says so, and for no other reason.</summary>
    public bool IsOfFallback => Outcome is ReportWord;

    /// <summary>The address that the NAR's content must be seen to have, as nobody vouches for it; null when somebody does.</summary>
    public ContentAddress? MustMatch => Outcome is ContentAddressedWord ? Hints!.ContentAddress : null;

    /// <summary>The record of what an electorate, or an exception, grants.</summary>
    /// <exception cref="ArgumentException">The verdict is a refusal.</exception>
    public static DecisionRecord Of(Verdict verdict, NarHints hints, DateTimeOffset decidedAt)
    {
        var claim = verdict.Granted ?? throw new ArgumentException("A refusal grants nothing.", nameof(verdict));
        var until = verdict is Verdict.Excepted { Exception.Expires: var expires } && expires < decidedAt + AgreementLifetime ? expires
            : decidedAt + AgreementLifetime;
        return new DecisionRecord(verdict.Outcome, verdict.Sentence, decidedAt, until, claim, CountedBallots.Of(verdict), hints);
    }

    /// <summary>The record of what is served for its content's sake.</summary>
    /// <param name="claim">What an upstream says; its content address makes the path.</param>
    /// <param name="hints">Where it comes from, with that address.</param>
    /// <param name="sentence">The reason in one line.</param>
    /// <param name="decidedAt">When.</param>
    /// <param name="isSettled">Whether every elector has spoken; if not it is decided anew soon.</param>
    /// <exception cref="ArgumentException">The address does not make the path.</exception>
    public static DecisionRecord OfContentAddress(
        OutputClaim claim, NarHints hints, string sentence, DateTimeOffset decidedAt, bool isSettled) =>
        hints.ContentAddress?.Matches(claim.Path, claim.References, claim.NarHash) is true
            ? new(ContentAddressedWord, sentence, decidedAt, decidedAt + (isSettled ? AgreementLifetime : RefusalLifetime), claim,
                CountedBallots.None, hints)
            : throw new ArgumentException("That address does not make the path.", nameof(hints));

    /// <summary>The record of what is served in report mode because the fallback says so; its own signature must be among the hints'
    /// signatures.</summary>
    public static DecisionRecord OfFallback(OutputClaim claim, NarHints hints, string sentence, DateTimeOffset decidedAt) =>
        new(ReportWord, sentence, decidedAt, decidedAt + RefusalLifetime, claim, CountedBallots.None, hints);

    /// <summary>The record of a refusal.</summary>
    /// <param name="outcome">The word that stands in <c>X-Trustix-Decision</c>.</param>
    /// <param name="sentence">The reason in one line.</param>
    /// <param name="decidedAt">When.</param>
    public static DecisionRecord Refusal(string outcome, string sentence, DateTimeOffset decidedAt) =>
        new(outcome, sentence, decidedAt, decidedAt + RefusalLifetime, null, CountedBallots.None, null);

    /// <summary>The record that takes the place of a decision which holds no longer: none that was made before it does.</summary>
    public static DecisionRecord Void(DateTimeOffset decidedAt) =>
        new(VoidWord, "", decidedAt, decidedAt + AgreementLifetime, null, CountedBallots.None, null);

    /// <summary>Whether the policy grants the same again when some electors are no longer believed: by the same judgement as a fresh
    /// decision.</summary>
    /// <param name="policy">The policy that it was decided under.</param>
    /// <param name="frozen">Names of electors that are not believed at all.</param>
    /// <param name="isRevoked">Whether a vote is no longer believed.</param>
    public bool StandsWithout(Policy policy, IReadOnlySet<string> frozen, Func<Vote, bool> isRevoked)
    {
        if (Claim is null || Ballots.Votes.IsEmpty)
        {
            return true;
        }

        return Grants(policy, Ballots.Without(policy, frozen, isRevoked));
    }

    /// <summary>Decides whether the policy grants the same again when later answers join the ballots of this record.</summary>
    /// <param name="policy">The policy that it was decided under.</param>
    /// <param name="later">What a later asking about the same path came to. A claim replaces its elector's vote; an absence or a silence
    /// does not.</param>
    /// <remarks>A log cannot take back a proven claim: it only shows an older head, or is gone. Hence only another claim speaks against the
    /// record.</remarks>
    public bool StandsBeside(Policy policy, Verdict later)
    {
        var claims = later.Answers.Where(answer => answer.Ballot is Ballot.Claimed).ToList();
        if (Claim is null || Ballots.Votes.IsEmpty)
        {
            return claims.TrueForAll(answer => ((Ballot.Claimed)answer.Ballot).Claim == Claim);
        }

        var ballots = Ballots.Without(policy, FrozenSet<string>.Empty, _ => false);
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
