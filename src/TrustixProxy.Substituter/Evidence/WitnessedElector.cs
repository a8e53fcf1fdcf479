using TrustixProxy.Consensus;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Queries a log, ignoring what it proves under heads that its demanded witnesses have not seen.</summary>
internal sealed class WitnessedElector(ElectorClient elector, WatchedLog log, WitnessWatch witnesses) : ElectorClient
{
    /// <summary>Maximum age of a head that is taken for the log's newest one.</summary>
    private static readonly TimeSpan FreshEnough = TimeSpan.FromSeconds(1);

    public override Elector Elector => elector.Elector;

    public override bool IsFrozen => elector.IsFrozen;

    public override AskElector Begin(StorePathDigest digest, StorePath? name, CandidateValues values, CancellationToken cancellation)
    {
        if (log.Head is { } known)
        {
            witnesses.Begin(known.Content); // in parallel with the query: after a start no checkpoint is known
        }

        var ask = elector.Begin(digest, name, values, cancellation);
        return async (path, token) =>
        {
            var ballot = await ask(path, token);
            var verdict = await VerifyAsync(ballot, token);
            if (verdict is CheckpointVerdict.Refused { Error: CheckpointError.Size }
                && await log.ViewAsync(FreshEnough, token) is { View.Head.Content: var next } && next != HeadOf(ballot))
            {
                // The log has grown since, and gives the checkpoint of its newest head only.
                ballot = await ask(path, token);
                verdict = await VerifyAsync(ballot, token);
            }

            if (verdict is not null && HeadOf(ballot) is { } head)
            {
                witnesses.Tell(head, verdict);
            }

            return verdict switch
            {
                null => ballot,
                CheckpointVerdict.Witnessed witnessed => WithWitnesses(ballot, witnessed),
                _ => new Ballot.Silent(SilenceReason.Unwitnessed),
            };
        };
    }

    /// <summary>Judges the head that a ballot was proven under; null when the ballot proves nothing.</summary>
    private async Task<CheckpointVerdict?> VerifyAsync(Ballot ballot, CancellationToken cancellation) =>
        ballot is not (Ballot.Claimed or Ballot.Absent { IsProven: true }) ? null
        : HeadOf(ballot) is { } head ? await witnesses.VerifyAsync(head, cancellation)
        : new CheckpointVerdict.Unwitnessed(UnwitnessedReason.NoCheckpoint, [], null); // proven under a head that was not kept

    /// <summary>Adds to a ballot's evidence what shows that its head is witnessed.</summary>
    private static Ballot WithWitnesses(Ballot ballot, CheckpointVerdict.Witnessed witnessed) => ballot switch
    {
        Ballot.Claimed { Proof: VoteProof.ByLog { Evidence: { } evidence } proof } vote =>
            vote with { Proof = proof with { Evidence = evidence with { Witnessed = witnessed } } },
        Ballot.Absent { Evidence: { } evidence } absent => absent with { Evidence = evidence with { Witnessed = witnessed } },
        _ => ballot,
    };

    private static TreeHead? HeadOf(Ballot ballot) => ballot switch
    {
        Ballot.Claimed { Proof: VoteProof.ByLog { Evidence: var evidence } } => evidence?.Head.Content,
        Ballot.Absent { Evidence: var evidence } => evidence?.Head.Content,
        _ => null,
    };
}
