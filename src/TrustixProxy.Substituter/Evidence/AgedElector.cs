using TrustixProxy.Consensus;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Queries a log, and adds to its votes for how long the log has held them. A vote that no inclusion proof ties to the log has no
/// age.</summary>
internal sealed class AgedElector(ElectorClient elector, HeadAges ages) : ElectorClient
{
    public override Elector Elector => elector.Elector;

    public override bool IsFrozen => elector.IsFrozen;

    public override AskElector Begin(StorePathDigest digest, StorePath? name, CandidateValues values, CancellationToken cancellation)
    {
        var ask = elector.Begin(digest, name, values, cancellation);
        return async (path, token) => await ask(path, token) switch
        {
            Ballot.Claimed { Proof: VoteProof.ByLog { IsTied: true } proof } vote =>
                vote with { Age = ages.AgeOf(proof.LeafIndex, proof.Evidence?.Witnessed?.ReachedAt) },
            var ballot => ballot,
        };
    }
}
