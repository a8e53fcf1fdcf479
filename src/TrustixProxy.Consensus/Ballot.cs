using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>Why an elector's ballot does not count.</summary>
public enum SilenceReason
{
    /// <summary>No answer before the deadline.</summary>
    NoAnswer,

    /// <summary>The elector could not be reached, or the connection broke.</summary>
    Unreachable,

    /// <summary>It failed so often recently that requests are paused.</summary>
    BreakerOpen,

    /// <summary>It contradicted itself under its own signature; it stays excluded until an operator unfreezes it.</summary>
    Frozen,

    /// <summary>The answer violates the protocol: HTML, another content type, a malformed message, an unknown error.</summary>
    BadAnswer,

    /// <summary>The answer is larger than any valid one.</summary>
    TooLarge,

    /// <summary>The head is malformed.</summary>
    HeadMalformed,

    /// <summary>The head's signature is invalid.</summary>
    HeadSignature,

    /// <summary>The head is older than one seen before.</summary>
    HeadOlder,

    /// <summary>The head was not proven consistent with the one seen before.</summary>
    HeadInconsistent,

    /// <summary>The requested map root is unknown to the log, even after fetching its newest head.</summary>
    MapRootUnknown,

    /// <summary>The map proof does not prove the answer.</summary>
    MapProof,

    /// <summary>The entry in the map was not proven to be in the log.</summary>
    InclusionProof,

    /// <summary>The log did not provide the value for the digest it proves.</summary>
    ValueMissing,

    /// <summary>The value's digest differs from the proven one.</summary>
    ValueDigest,

    /// <summary>The value is not a claim about a build's output.</summary>
    ClaimMalformed,

    /// <summary>The value is a claim about another path than its key's.</summary>
    ClaimOfOtherPath,

    /// <summary>The cache's narinfo has no valid signature by any of its keys.</summary>
    NoSignature,

    /// <summary>The proof file does not prove its entry: another format, an unknown log, or a signature or proof that is invalid.</summary>
    BadProof,

    /// <summary>Its mirror has not followed it to the end yet, or its entries do not match what it signed.</summary>
    MirrorIncomplete,

    /// <summary>Its log accepted the claim after the time from which an operator revoked its entries.</summary>
    Revoked,

    /// <summary>It was not waited for: no answer could change the verdict.</summary>
    NotHeard,

    /// <summary>It proves its map entry, but gives no inclusion proof, which its configuration requires: set <c>inclusionProof</c> to
    /// <c>optional</c>.</summary>
    NoInclusionProofs,

    /// <summary>The head's map root was not proven to be the last leaf of its map-head log.</summary>
    MapRootProof,

    /// <summary>Too few of the witnesses that its configuration demands have seen the head, or none of them lately.</summary>
    Unwitnessed,

    /// <summary>What it signed is not known in full: nobody gave a fitting size and references, or a fitting text.</summary>
    UnprovenHash,

    /// <summary>Its key signed two different outputs of the path.</summary>
    TwoClaims,

    /// <summary>TLS failed: its certificate is not trusted here, or it rejects ours.</summary>
    Tls,
}

/// <summary>The proof that an elector cast a vote.</summary>
public abstract record VoteProof
{
    private VoteProof()
    {
    }

    /// <summary>A log's proof that it holds the claim.</summary>
    /// <param name="LeafIndex">Index of the claim's leaf in the log, from 0.</param>
    /// <param name="HeadSize">Size in leaves of the head it was proven under.</param>
    /// <param name="IsTied">Whether an inclusion proof ties the map entry to the append-only log.</param>
    public sealed record ByLog(long LeafIndex, long HeadSize, bool IsTied) : VoteProof
    {
        /// <summary>The proofs themselves, for re-checking; null when they were not kept.</summary>
        public LogEvidence? Evidence { get; init; }
    }

    /// <summary>A signature of the claim.</summary>
    /// <param name="Signature">The signature of the claim, by one of the elector's keys.</param>
    public sealed record BySignature(CacheSignature Signature) : VoteProof
    {
        /// <summary>The narinfo with the signature, for re-checking; null when it was not kept.</summary>
        public NarInfo? NarInfo { get; init; }
    }

    /// <summary>A proof file: the claim is an entry of a log that witnesses have seen.</summary>
    /// <param name="Origin">The log's origin.</param>
    /// <param name="LeafIndex">Index of the claim's leaf in the log, from 0.</param>
    /// <param name="File">The file, for re-checking.</param>
    public sealed record ByProofFile(string Origin, long LeafIndex, ReadOnlyMemory<byte> File) : VoteProof;
}

/// <summary>The result of asking one elector about one path.</summary>
public abstract record Ballot
{
    private Ballot()
    {
    }

    /// <summary>Whether the elector answered: a claim, an absence, or "not found". Other ballots may change at the next try.</summary>
    public bool IsFirm => this is not Silent;

    /// <summary>A proven claim, which is a vote.</summary>
    /// <param name="Claim">What the elector says the build produced.</param>
    /// <param name="Proof">The proof of the vote.</param>
    public sealed record Claimed(OutputClaim Claim, VoteProof Proof) : Ballot
    {
        /// <summary>The time for which the log is known to have held the entry, at least; null when nothing shows it.</summary>
        public TimeSpan? Age { get; init; }

        /// <summary>Whether nothing ties the vote to the log that others see.</summary>
        public bool IsUntied => Proof is VoteProof.ByLog { IsTied: false };
    }

    /// <summary>The elector does not know the path.</summary>
    /// <param name="IsProven">Whether it proved the absence; a bare "not found" counts as silence, and never as dissent.</param>
    /// <param name="HeadSize">Size in leaves of the head it was asked under; 0 for a cache.</param>
    public sealed record Absent(bool IsProven, long HeadSize) : Ballot
    {
        /// <summary>The proof of absence, for re-checking; null when there is none, or it was not kept.</summary>
        public LogEvidence? Evidence { get; init; }
    }

    /// <summary>The elector gave no answer that counts.</summary>
    /// <param name="Reason">The reason.</param>
    public sealed record Silent(SilenceReason Reason) : Ballot
    {
        /// <summary>Whether this is the elector's definite answer, though unusable.</summary>
        public bool IsAnswer { get; init; }

        /// <summary>The NAR hash it names without proof; null when it names none.</summary>
        public NixHash? UnprovenHash { get; init; }

        /// <summary>Whether a retry is pointless: the answer is definite and not a vote, or only an operator or witnesses can change
        /// it.</summary>
        public bool IsForGood => IsAnswer || Reason is SilenceReason.Frozen or SilenceReason.Revoked or SilenceReason.NoInclusionProofs
            or SilenceReason.ClaimOfOtherPath or SilenceReason.ClaimMalformed or SilenceReason.NoSignature or SilenceReason.Unwitnessed
            or SilenceReason.TwoClaims;
    }
}
