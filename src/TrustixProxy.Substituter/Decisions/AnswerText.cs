using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>One elector's answer as people read it.</summary>
/// <param name="Elector">Who.</param>
/// <param name="Operator">Who runs it.</param>
/// <param name="Claim">What it proves; null when it proves no claim.</param>
/// <param name="Says">A NAR hash, absent, not found, or silent.</param>
/// <param name="Proof">How that is proven, or why it is silent.</param>
/// <param name="Head">Size of the head that it was proven under, in leaves; null where there is none.</param>
public sealed record AnswerText(string Elector, string Operator, OutputClaim? Claim, string Says, string Proof, long? Head)
{
    public static AnswerText Of(Answer answer)
    {
        var (claim, says, proof, head) = answer.Ballot switch
        {
            Ballot.Claimed { Proof: VoteProof.ByLog log } vote =>
                (vote.Claim, vote.Claim.NarHash.ToString(), log.IsTied ? $"tied to leaf {log.LeafIndex}"
                : $"untied, entry names leaf {log.LeafIndex}", log.HeadSize),
            Ballot.Claimed { Proof: VoteProof.BySignature cache } vote =>
                (vote.Claim, vote.Claim.NarHash.ToString(), $"signed by {cache.Signature.KeyName}", (long?)null),
            Ballot.Absent { IsProven: true } absent => (null, "absent", "absence proven", absent.HeadSize),
            Ballot.Absent => (null, "not found", "not proven", null),
            Ballot.Silent silent => (null, "silent", Kebab.Of(silent.Reason), null),
            _ => throw new System.Diagnostics.UnreachableException(),
        };
        return new AnswerText(answer.Elector.Name, answer.Elector.Operator, claim, says, proof, head);
    }
}
