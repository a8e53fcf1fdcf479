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

    public override AskElector Begin(StorePathDigest digest, StorePath? name, CandidateValues statements, CancellationToken cancellation)
    {
        if (log.Head is { } known)
        {
            witnesses.Begin(known.Content); // in parallel with the query: after a start no checkpoint is known
        }

        var ask = elector.Begin(digest, name, statements, cancellation);
        return async (path, token) =>
        {
            var ballot = await ask(path, token);
            var head = HeadOf(ballot);
            if (head is null || await witnesses.VerifyAsync(head, token) is not { } verdict || verdict is CheckpointVerdict.Witnessed)
            {
                return ballot;
            }

            if (verdict is CheckpointVerdict.Refused { Error: CheckpointError.Size }
                && await log.ViewAsync(FreshEnough, token) is { View.Head.Content: var next } && next != head)
            {
                // The log has grown since, and gives the checkpoint of its newest head only.
                ballot = await ask(path, token);
                head = HeadOf(ballot);
                verdict = head is null ? verdict : await witnesses.VerifyAsync(head, token);
            }

            return head is null || verdict is CheckpointVerdict.Witnessed ? ballot : new Ballot.Silent(SilenceReason.Unwitnessed);
        };
    }

    /// <summary>The head that a ballot was proven under; null when nothing was proven.</summary>
    private static TreeHead? HeadOf(Ballot ballot) => ballot switch
    {
        Ballot.Claimed { Proof: VoteProof.ByLog { Evidence: var evidence } } => evidence?.Head.Content,
        Ballot.Absent { Evidence: var evidence } => evidence?.Head.Content,
        _ => null,
    };
}
