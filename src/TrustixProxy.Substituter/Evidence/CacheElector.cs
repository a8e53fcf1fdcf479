using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Queries a signed cache: its narinfo is a vote if signed by one of its keys, whatever server delivered it.</summary>
internal sealed class CacheElector(Elector.Cache elector, Upstream cache) : FileElector(cache)
{
    public override Elector Elector => elector;

    protected override Ballot JudgeFound(StorePath path, UpstreamAnswer answer, CandidateValues values) => answer switch
    {
        UpstreamAnswer.Found { NarInfo: var narInfo } when narInfo.StorePath != path => new Ballot.Silent(SilenceReason.ClaimOfOtherPath),
        UpstreamAnswer.Found { NarInfo: var narInfo } => Judge(narInfo),
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private Ballot Judge(NarInfo narInfo)
    {
        if (OutputClaim.TryReadSigned(narInfo, elector.Keys, out var claim, out var signature))
        {
            return new Ballot.Claimed(claim, new VoteProof.BySignature(signature) { NarInfo = narInfo });
        }

        Source.Forget(narInfo.StorePath.Digest); // it may have been signed in between
        return new Ballot.Silent(SilenceReason.NoSignature);
    }
}
