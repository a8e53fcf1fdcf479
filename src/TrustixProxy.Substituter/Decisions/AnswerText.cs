using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>What an elector said, in one word.</summary>
public enum VoteKind
{
    /// <summary>It proves a claim; beside a granted one see <see cref="AnswerText.KindBeside"/>.</summary>
    Proves,

    /// <summary>It proves the claim that was granted.</summary>
    Agrees,

    /// <summary>It proves another claim than the one that was granted.</summary>
    OtherClaim,

    /// <summary>It proves that it has no claim.</summary>
    Absent,

    /// <summary>It says, without proof, that it has no claim.</summary>
    NotFound,

    /// <summary>It gave no answer that counts.</summary>
    Silent,

    /// <summary>It has contradicted itself, and does not count.</summary>
    Frozen,

    /// <summary>Too few of its witnesses have lately seen its head.</summary>
    Unwitnessed,

    /// <summary>It was not waited for: no answer could change the verdict.</summary>
    NotHeard,
}

/// <summary>One elector's answer in readable form.</summary>
/// <param name="Operator">Operator that runs it.</param>
/// <param name="Claim">The proven claim; null if none.</param>
/// <param name="Says">A NAR hash, absent, not found, unwitnessed, frozen, not heard, or silent.</param>
/// <param name="Proof">Kind of proof, or why there is none.</param>
/// <param name="Head">Size of the head of the proof, in leaves; null without a head.</param>
public sealed record AnswerText(string Elector, string Operator, OutputClaim? Claim, string Says, string Proof, long? Head)
{
    /// <summary>What it said, in one word.</summary>
    public VoteKind Kind { get; init; }

    public static AnswerText Of(Answer answer)
    {
        var (name, by) = (answer.Elector.Name, answer.Elector.Operator);
        AnswerText Without(VoteKind kind, string says, string proof, long? head = null) =>
            new(name, by, null, says, proof, head) { Kind = kind };
        return answer.Ballot switch
        {
            Ballot.Claimed vote => new AnswerText(name, by, vote.Claim, vote.Claim.NarHash.ToString(), ProofOf(vote), HeadOf(vote)),
            Ballot.Absent { IsProven: true } absent =>
                Without(VoteKind.Absent, "absent", "absence proven" + SeenBy(absent.Evidence), absent.HeadSize),
            Ballot.Absent => Without(VoteKind.NotFound, "not found", "not proven"),
            Ballot.Silent { Reason: SilenceReason.Unwitnessed } =>
                Without(VoteKind.Unwitnessed, "unwitnessed", "too few of its witnesses have lately seen its head"),
            Ballot.Silent { Reason: SilenceReason.Frozen } =>
                Without(VoteKind.Frozen, "frozen", "it contradicted itself under its own signature"),
            Ballot.Silent { Reason: SilenceReason.NotHeard } =>
                Without(VoteKind.NotHeard, "not heard", "no answer could change the verdict"),
            Ballot.Silent silent => Without(VoteKind.Silent, "silent", Kebab.Of(silent.Reason)),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
    }

    /// <summary>Returns what it said, seen from the claim that was granted.</summary>
    /// <param name="granted">The claim; null if nothing was granted.</param>
    public VoteKind KindBeside(OutputClaim? granted) =>
        Kind is not VoteKind.Proves || granted is null ? Kind : Claim == granted ? VoteKind.Agrees : VoteKind.OtherClaim;

    /// <summary>Returns the same elector as not heard: nobody waited for it until it could be called silent.</summary>
    public AnswerText AsNotHeard() => this with { Says = "not heard", Proof = "it was not waited for", Kind = VoteKind.NotHeard };

    private static string ProofOf(Ballot.Claimed vote) => vote.Proof switch
    {
        VoteProof.ByLog log => (log.IsTied ? $"tied to leaf {log.LeafIndex}" : $"untied, entry names leaf {log.LeafIndex}")
            + SeenBy(log.Evidence) + (vote.Age is { } age ? $", held for {age:c}" : ""),
        VoteProof.BySignature cache => $"signed by {cache.Signature.KeyName}",
        VoteProof.ByProofFile file => $"witnessed leaf {file.LeafIndex} of {file.Origin}",
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static long? HeadOf(Ballot.Claimed vote) => vote.Proof is VoteProof.ByLog log ? log.HeadSize : null;

    private static string SeenBy(LogEvidence? evidence) =>
        evidence?.Witnessed is { } witnessed ? $", seen by {string.Join(", ", witnessed.Witnesses)}" : "";
}
