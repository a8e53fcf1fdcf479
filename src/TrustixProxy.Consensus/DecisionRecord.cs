using System.Collections.Immutable;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus;

/// <summary>A vote that a decision rests on.</summary>
/// <param name="Elector">Name of the elector.</param>
/// <param name="LeafIndex">Which leaf of its log holds the claim.</param>
/// <param name="HeadSize">Size of the head that it was proven under, in leaves.</param>
/// <param name="IsTied">Whether the map entry was tied to the append-only log.</param>
public sealed record Vote(string Elector, long LeafIndex, long HeadSize, bool IsTied);

/// <summary>Where the NAR of an agreed claim comes from, and what goes into its narinfo beside the claim. Unsigned hints: none of it decides anything.</summary>
/// <param name="Compression">How it is compressed on the way to the client.</param>
/// <param name="FileHash">SHA-256 of the compressed NAR, as an upstream names it.</param>
/// <param name="FileSize">Length of the compressed NAR in bytes; null when no upstream names it.</param>
/// <param name="Deriver">The derivation that made it; null when unknown.</param>
/// <param name="ContentAddress">A content address that was seen to fit the claim; null when there is none.</param>
/// <param name="Signatures">Well-formed signatures of the claim by others.</param>
/// <param name="Upstream">Name of the upstream that says it has the NAR in this form.</param>
public sealed record NarHints(
    string Compression, NixHash FileHash, long? FileSize, StorePath? Deriver, ContentAddress? ContentAddress, ImmutableArray<NixSignature> Signatures, string Upstream);

/// <summary>A decision as it is remembered. Made of a verdict, or by <see cref="DecisionSeal.TryOpen"/> of bytes that bear our MAC.</summary>
public sealed class DecisionRecord
{
    /// <summary>How long an agreement is remembered: 30 days, as long as clients remember a narinfo.</summary>
    public static readonly TimeSpan AgreementLifetime = TimeSpan.FromDays(30);

    /// <summary>How long a refusal is remembered, when every elector has spoken.</summary>
    public static readonly TimeSpan RefusalLifetime = TimeSpan.FromSeconds(60);

    internal DecisionRecord(string outcome, string sentence, DateTimeOffset decidedAt, OutputClaim? claim, ImmutableArray<Vote> votes, NarHints? hints) =>
        (Outcome, Sentence, DecidedAt, Claim, Votes, Hints) = (outcome, sentence, decidedAt, claim, votes, hints);

    /// <summary>The word that stands in <c>X-Trustix-Decision</c>.</summary>
    public string Outcome { get; }

    /// <summary>The reason in one line.</summary>
    public string Sentence { get; }

    /// <summary>When it was decided.</summary>
    public DateTimeOffset DecidedAt { get; }

    /// <summary>What was agreed on; null for a refusal.</summary>
    public OutputClaim? Claim { get; }

    /// <summary>The votes that an agreement rests on.</summary>
    public ImmutableArray<Vote> Votes { get; }

    /// <summary>Where the NAR comes from; null for a refusal.</summary>
    public NarHints? Hints { get; }

    /// <summary>When it is no longer believed.</summary>
    public DateTimeOffset ExpiresAt => DecidedAt + (Claim is null ? RefusalLifetime : AgreementLifetime);

    /// <summary>The record of an agreement.</summary>
    public static DecisionRecord Of(Verdict.Agreed verdict, NarHints hints, DateTimeOffset decidedAt)
    {
        var votes = verdict.Answers.Where(answer => answer.Ballot is Ballot.Claimed vote && vote.Claim == verdict.Claim)
            .Select(answer => (answer.Elector.Name, Cast: (Ballot.Claimed)answer.Ballot))
            .Select(vote => new Vote(vote.Name, vote.Cast.LeafIndex, vote.Cast.HeadSize, vote.Cast.IsTied));
        return new DecisionRecord(verdict.Outcome, verdict.Sentence, decidedAt, verdict.Claim, [.. votes], hints);
    }

    /// <summary>The record of a refusal.</summary>
    /// <param name="outcome">The word that stands in <c>X-Trustix-Decision</c>.</param>
    /// <param name="sentence">The reason in one line.</param>
    /// <param name="decidedAt">When.</param>
    public static DecisionRecord Refusal(string outcome, string sentence, DateTimeOffset decidedAt) => new(outcome, sentence, decidedAt, null, [], null);
}
