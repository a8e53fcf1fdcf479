using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>Asks a log, and does not hear what it has taken in since it was revoked.</summary>
internal sealed class RevocableElector(ElectorClient elector, RevocationRegister register) : ElectorClient
{
    public override Elector Elector => elector.Elector;

    public override bool IsFrozen => elector.IsFrozen;

    public override AskElector Begin(StorePathDigest digest, StorePath? name, Statements statements, CancellationToken cancellation)
    {
        var ask = elector.Begin(digest, name, statements, cancellation);
        return async (path, token) =>
            await ask(path, token) is var ballot && ballot is Ballot.Claimed { Proof: VoteProof.ByLog proof } && register.Standing.Covers(Elector.Name, VotePosition.Of(proof))
                ? new Ballot.Silent(SilenceReason.Revoked)
                : ballot;
    }
}
