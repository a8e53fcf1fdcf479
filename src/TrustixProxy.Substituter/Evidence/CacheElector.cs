using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Queries a signed cache: its narinfo is a vote if signed by one of its keys, whatever server delivered it.</summary>
internal sealed class CacheElector(Elector.Cache elector, Upstream cache) : ElectorClient
{
    public override Elector Elector => elector;

    /// <summary>A cache has no history to contradict.</summary>
    public override bool IsFrozen => false;

    /// <summary>A cache is queried by digest and returns the name.</summary>
    public override AskElector Begin(StorePathDigest digest, StorePath? name, CandidateValues statements, CancellationToken cancellation)
    {
        var first = cache.AskAsync(digest, cancellation);
        UpstreamAnswer? settled = null; // one answer is enough: no second request
        return async (path, token) =>
        {
            var answer = Volatile.Read(ref settled) ?? await (Interlocked.Exchange(ref first, null) ?? cache.AskAsync(digest, token));
            Volatile.Write(ref settled, IsUseless(answer) ? answer : null);
            return Judge(path, answer);
        };
    }

    private Ballot Judge(StorePath path, UpstreamAnswer answer) => answer switch
    {
        UpstreamAnswer.Found { NarInfo: var narInfo } when narInfo.StorePath != path => new Ballot.Silent(SilenceReason.ClaimOfOtherPath),
        UpstreamAnswer.Found { NarInfo: var narInfo } => Judge(narInfo),
        UpstreamAnswer.Absent => new Ballot.Absent(IsProven: false, 0),
        UpstreamAnswer.Failed failed => new Ballot.Silent(ReasonOf(failed)) { IsAnswer = IsUseless(failed) },
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    /// <summary>Whether it answered with something other than a narinfo: HTML, 401, unreadable text.</summary>
    private static bool IsUseless(UpstreamAnswer answer) => answer is UpstreamAnswer.Failed { Fault.IsAnswer: true, IsAway: false };

    private static SilenceReason ReasonOf(UpstreamAnswer.Failed failed) => failed switch
    {
        { IsAway: true } or { Fault.Kind: UpstreamFailure.Throttled } => SilenceReason.BreakerOpen,
        { Fault.Kind: UpstreamFailure.Silent } => SilenceReason.NoAnswer,
        { Fault.Kind: UpstreamFailure.NarinfoTooLarge } => SilenceReason.TooLarge,
        { Fault.IsAnswer: true } => SilenceReason.BadAnswer,
        _ => SilenceReason.Unreachable,
    };

    private Ballot Judge(NarInfo narInfo)
    {
        if (OutputClaim.TryReadSigned(narInfo, elector.Keys, out var claim, out var signature))
        {
            return new Ballot.Claimed(claim, new VoteProof.BySignature(signature) { NarInfo = narInfo });
        }

        cache.Forget(narInfo.StorePath.Digest); // it may have been signed in between
        return new Ballot.Silent(SilenceReason.NoSignature);
    }
}
