using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>One elector's answer in readable form.</summary>
/// <param name="Operator">Operator that runs it.</param>
/// <param name="Claim">The proven claim; null if none.</param>
/// <param name="Says">A NAR hash, absent, not found, unwitnessed, or silent.</param>
/// <param name="Proof">Kind of proof, or why there is none.</param>
/// <param name="Head">Size of the head of the proof, in leaves; null without a head.</param>
public sealed record AnswerText(string Elector, string Operator, OutputClaim? Claim, string Says, string Proof, long? Head)
{
    public static AnswerText Of(Answer answer)
    {
        var (claim, says, proof, head) = answer.Ballot switch
        {
            Ballot.Claimed { Proof: VoteProof.ByLog log } vote =>
                (vote.Claim, vote.Claim.NarHash.ToString(), (log.IsTied ? $"tied to leaf {log.LeafIndex}"
                : $"untied, entry names leaf {log.LeafIndex}") + SeenBy(log.Evidence) + HeldFor(vote), log.HeadSize),
            Ballot.Claimed { Proof: VoteProof.BySignature cache } vote =>
                (vote.Claim, vote.Claim.NarHash.ToString(), $"signed by {cache.Signature.KeyName}", (long?)null),
            Ballot.Claimed { Proof: VoteProof.ByProofFile file } vote =>
                (vote.Claim, vote.Claim.NarHash.ToString(), $"witnessed leaf {file.LeafIndex} of {file.Origin}", null),
            Ballot.Absent { IsProven: true } absent => (null, "absent", "absence proven" + SeenBy(absent.Evidence), absent.HeadSize),
            Ballot.Absent => (null, "not found", "not proven", null),
            Ballot.Silent { Reason: SilenceReason.Unwitnessed } =>
                (null, "unwitnessed", "too few of its witnesses have lately seen its head", null),
            Ballot.Silent silent => (null, "silent", Kebab.Of(silent.Reason), null),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
        return new AnswerText(answer.Elector.Name, answer.Elector.Operator, claim, says, proof, head);
    }

    private static string HeldFor(Ballot.Claimed vote) => vote.Age is { } age ? $", held for {age:c}" : "";

    private static string SeenBy(LogEvidence? evidence) =>
        evidence?.Witnessed is { } witnessed ? $", seen by {string.Join(", ", witnessed.Witnesses)}" : "";
}
