using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Queries a lila server for one rebuilder's votes: an attested hash is a vote if the rebuilder's key signed it together with some
/// candidate's size and references, which the server does not tell.</summary>
/// <remarks>All rebuilders on one server share its client, so that one request answers for all.
/// A hash without a fitting candidate is shown, and is no vote: another output mostly has another size.</remarks>
internal sealed class LilaElector(Elector.Cache elector, Upstream server) : ElectorClient
{
    /// <summary>Maximum number of signatures that are checked at once: a server may list many under one name.</summary>
    private const int MostChecks = 1000;

    public override Elector Elector => elector;

    /// <summary>A server of attestations has no history to contradict.</summary>
    public override bool IsFrozen => false;

    public override AskElector Begin(StorePathDigest digest, StorePath? name, CandidateValues values, CancellationToken cancellation)
    {
        if (name is not null)
        {
            _ = server.AskAsync(name, cancellation); // its answer is kept for the query with the name
        }

        return async (path, token) => await server.AskAsync(path, token) switch
        {
            UpstreamAnswer.Absent => new Ballot.Absent(IsProven: false, 0),
            UpstreamAnswer.Failed failed => FileElector.OfFailure(failed),
            UpstreamAnswer.FoundFile { File: var file } when LilaAttestation.TryParseAll(file) is { } attestations =>
                Judge(path, [.. attestations.Where(IsOurs).Distinct()], values),
            _ => Unusable(path),
        };
    }

    private bool IsOurs(LilaAttestation attestation) =>
        elector.Keys.OfType<NixPublicKey>().Any(key => key.Name == attestation.Signature.KeyName);

    private Ballot.Silent Unusable(StorePath path)
    {
        server.Forget(path);
        return new Ballot.Silent(SilenceReason.BadAnswer) { IsAnswer = true };
    }

    private Ballot Judge(StorePath path, ImmutableArray<LilaAttestation> attestations, CandidateValues values)
    {
        if (attestations.IsEmpty)
        {
            return new Ballot.Absent(IsProven: false, 0);
        }

        var proven = new Dictionary<OutputClaim, Ballot.Claimed>();
        var candidates = attestations.SelectMany(attestation => values.Of(path).Select(attestation.Complete));
        foreach (var narInfo in candidates.Take(MostChecks))
        {
            if (OutputClaim.TryReadSigned(narInfo, elector.Keys, out var claim, out var signature))
            {
                proven[claim] = new Ballot.Claimed(claim, new VoteProof.BySignature(signature) { NarInfo = narInfo });
            }
        }

        return proven.Count switch
        {
            0 => new Ballot.Silent(SilenceReason.UnprovenHash) { UnprovenHash = attestations[0].NarHash },
            1 => proven.Values.Single(),
            _ => new Ballot.Silent(SilenceReason.TwoClaims),
        };
    }
}
