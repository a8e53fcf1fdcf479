using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Revocations;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Queries a log, ignoring revoked entries and any history that does not extend the one known at revocation.</summary>
internal sealed class RevocableElector(ElectorClient elector, RevocationRegister register, LogClient client) : ElectorClient
{
    public override Elector Elector => elector.Elector;

    public override bool IsFrozen => elector.IsFrozen;

    public override AskElector Begin(StorePathDigest digest, StorePath? name, CandidateValues values, CancellationToken cancellation)
    {
        var ask = elector.Begin(digest, name, values, cancellation);
        return async (path, token) => await ask(path, token) is var ballot && ballot is Ballot.Claimed { Proof: VoteProof.ByLog proof }
            ? await ReasonAgainstAsync(proof, token) is { } reason ? new Ballot.Silent(reason) : ballot
            : ballot;
    }

    /// <summary>Returns why a vote does not count; null if it counts.</summary>
    private async Task<SilenceReason?> ReasonAgainstAsync(VoteProof.ByLog proof, CancellationToken cancellation)
    {
        foreach (var leaves in register.Standing.OfLog(Elector.Name))
        {
            if (leaves.Covers(VotePosition.Of(proof)))
            {
                return SilenceReason.Revoked;
            }

            if (leaves.Head is { } head
                && await register.ProvenHeads.ProveAsync(head, proof.Evidence?.Head, client, cancellation) is { } reason)
            {
                return reason;
            }
        }

        return null;
    }
}
