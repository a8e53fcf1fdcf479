using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>Why an elector has not said anything that counts.</summary>
public enum SilenceReason
{
    /// <summary>No answer before the deadline.</summary>
    NoAnswer,

    /// <summary>It could not be reached, or broke off.</summary>
    Unreachable,

    /// <summary>It has failed so often of late that it is not asked for a moment.</summary>
    BreakerOpen,

    /// <summary>It has contradicted itself under its own signature, and stays unheard until an operator unfreezes it.</summary>
    Frozen,

    /// <summary>It answered something that is not the protocol: HTML, another content type, a malformed message, an unknown
    /// error.</summary>
    BadAnswer,

    /// <summary>It answered more than any true answer has.</summary>
    TooLarge,

    /// <summary>Its head is malformed.</summary>
    HeadMalformed,

    /// <summary>Its head does not bear its signature.</summary>
    HeadSignature,

    /// <summary>Its head is older than one that was seen before.</summary>
    HeadOlder,

    /// <summary>Its head was not shown to continue the one that was seen before.</summary>
    HeadInconsistent,

    /// <summary>It no longer knows the map root that was asked for, even after its newest head was fetched.</summary>
    MapRootUnknown,

    /// <summary>Its proof of the map does not prove its answer.</summary>
    MapProof,

    /// <summary>The entry that its map proves was not shown to be in its log.</summary>
    InclusionProof,

    /// <summary>It did not give the value whose digest it proves.</summary>
    ValueMissing,

    /// <summary>The value's bytes do not have the digest that it proves.</summary>
    ValueDigest,

    /// <summary>The value is no statement about a build's output.</summary>
    ClaimMalformed,

    /// <summary>The value is a statement about another path than the one whose key holds it.</summary>
    ClaimOfOtherPath,

    /// <summary>The cache's narinfo bears no valid signature by one of its keys.</summary>
    NoSignature,

    /// <summary>Its mirror has not followed it to the end yet, or its entries do not make what it signed.</summary>
    MirrorIncomplete,

    /// <summary>Its log took the claim in after the time from which on an operator has revoked what it holds.</summary>
    Revoked,

    /// <summary>It was not waited for: no answer of it could change the verdict.</summary>
    NotHeard,

    /// <summary>It proves its map and gives no proofs of inclusion, which its configuration asks for: set <c>inclusionProof</c> to
    /// <c>optional</c>.</summary>
    NoInclusionProofs,
}

/// <summary>What shows that an elector has said so.</summary>
public abstract record VoteProof
{
    private VoteProof()
    {
    }

    /// <summary>Its log holds the claim.</summary>
    /// <param name="LeafIndex">Which leaf of its log holds the claim.</param>
    /// <param name="HeadSize">Size of the head that it was proven under, in leaves.</param>
    /// <param name="IsTied">Whether the map entry was tied to the append-only log.</param>
    public sealed record ByLog(long LeafIndex, long HeadSize, bool IsTied) : VoteProof
    {
        /// <summary>The proofs themselves, for whoever wants to judge again; null when they were not kept.</summary>
        public LogEvidence? Evidence { get; init; }
    }

    /// <summary>It has signed the claim.</summary>
    /// <param name="Signature">The signature of the claim's fingerprint, by one of the elector's keys.</param>
    public sealed record BySignature(NixSignature Signature) : VoteProof
    {
        /// <summary>The narinfo that bears it, for whoever wants to judge again; null when it was not kept.</summary>
        public NarInfo? NarInfo { get; init; }
    }
}

/// <summary>What came of asking one elector about one path.</summary>
public abstract record Ballot
{
    private Ballot()
    {
    }

    /// <summary>Whether the elector has spoken: a claim, an absence, or "not found". What is not firm may change at the next try.</summary>
    public bool IsFirm => this is not Silent;

    /// <summary>A proven claim: a vote.</summary>
    /// <param name="Claim">What it says the build produced.</param>
    /// <param name="Proof">What shows that.</param>
    public sealed record Claimed(OutputClaim Claim, VoteProof Proof) : Ballot
    {
        /// <summary>Whether nothing ties the vote to what others see of the log.</summary>
        public bool IsUntied => Proof is VoteProof.ByLog { IsTied: false };
    }

    /// <summary>It does not know the path.</summary>
    /// <param name="IsProven">Whether it proved that; a bare "not found" is silence, and no dissent either way.</param>
    /// <param name="HeadSize">Size of the head that it was asked under, in leaves; 0 for a cache.</param>
    public sealed record Absent(bool IsProven, long HeadSize) : Ballot
    {
        /// <summary>The proof, for whoever wants to judge again; null when there is none, or it was not kept.</summary>
        public LogEvidence? Evidence { get; init; }
    }

    /// <summary>It said nothing that counts.</summary>
    /// <param name="Reason">Why not.</param>
    public sealed record Silent(SilenceReason Reason) : Ballot
    {
        /// <summary>Whether it has given its one answer, which is of no use.</summary>
        public bool IsAnswer { get; init; }

        /// <summary>Whether asking again is of no use: it has answered, with something that is no vote, or only an operator can change
        /// it.</summary>
        public bool IsForGood => IsAnswer || Reason is SilenceReason.Frozen or SilenceReason.Revoked or SilenceReason.NoInclusionProofs
            or SilenceReason.ClaimOfOtherPath or SilenceReason.ClaimMalformed or SilenceReason.NoSignature;
    }
}
