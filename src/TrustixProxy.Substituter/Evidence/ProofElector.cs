using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Queries a server of proof files: a file is a vote if it proves the path's fingerprint offline.</summary>
internal sealed class ProofElector(Elector.ProofFiles elector, Upstream server, TimeProvider time) : FileElector(server)
{
    public override Elector Elector => elector;

    protected override async ValueTask<Ballot> JudgeFoundAsync(
        StorePath path, UpstreamAnswer answer, CandidateValues values, CancellationToken cancellation)
    {
        var file = answer is UpstreamAnswer.FoundFile found ? found.File : throw new System.Diagnostics.UnreachableException();
        var ballot = ProofFile.IsWithoutText(file.Span, elector) ? await JudgeWithTextsAsync(path, file, values, cancellation)
            : ProofFile.Judge(file, elector, path, time.GetUtcNow());
        if (ballot is Ballot.Silent)
        {
            Source.Forget(path.Digest); // a better file may take its place
        }

        return ballot;
    }

    /// <summary>Judges a file with each text that an upstream offers, since it does not say what was signed.</summary>
    private async Task<Ballot> JudgeWithTextsAsync(
        StorePath path, ReadOnlyMemory<byte> file, CandidateValues values, CancellationToken cancellation)
    {
        var ballot = Judge();
        if (ballot is Ballot.Claimed)
        {
            return ballot;
        }

        await values.WaitForAllAsync(cancellation);
        return Judge();

        Ballot Judge() => values.Fingerprints.Distinct()
            .Select(text => ProofFile.Judge(ProofFile.With(text, file), elector, path, time.GetUtcNow()))
            .MinBy(judged => judged switch { Ballot.Claimed => 0, Ballot.Silent { Reason: SilenceReason.Unwitnessed } => 1, _ => 2 })
            ?? new Ballot.Silent(SilenceReason.ValueMissing) { IsAnswer = true };
    }
}
