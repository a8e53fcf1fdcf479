using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Upstreams;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Asks a signed cache: its narinfo is a vote when one of its keys has signed it, whoever passes it on.</summary>
internal sealed class CacheElector(Elector.Cache elector, Upstream cache) : ElectorClient
{
    public override Elector Elector => elector;

    /// <summary>A cache has no history that it could contradict.</summary>
    public override bool IsFrozen => false;

    public override async Task<Ballot> AskAsync(StorePath path, CancellationToken cancellation) => await cache.AskAsync(path.Digest, cancellation) switch
    {
        UpstreamAnswer.Found { NarInfo: var narInfo } when narInfo.StorePath != path => new Ballot.Silent(SilenceReason.ClaimOfOtherPath),
        UpstreamAnswer.Found { NarInfo: var narInfo } => Judge(narInfo),
        UpstreamAnswer.Absent => new Ballot.Absent(IsProven: false, 0),
        UpstreamAnswer.Failed { Reason: "breaker-open" } => new Ballot.Silent(SilenceReason.BreakerOpen),
        UpstreamAnswer.Failed { Reason: "no-answer" } => new Ballot.Silent(SilenceReason.NoAnswer),
        UpstreamAnswer.Failed { Reason: "unreachable" } => new Ballot.Silent(SilenceReason.Unreachable),
        _ => new Ballot.Silent(SilenceReason.BadAnswer),
    };

    private Ballot Judge(NarInfo narInfo)
    {
        if (OutputClaim.TryReadSigned(narInfo, elector.Keys, out var claim, out var signature))
        {
            return new Ballot.Claimed(claim, new VoteProof.BySignature(signature) { NarInfo = narInfo });
        }

        cache.Forget(narInfo.StorePath.Digest); // it may have been signed since
        return new Ballot.Silent(SilenceReason.NoSignature);
    }
}
