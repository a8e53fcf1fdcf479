using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Queries a server of proof files: a file is a vote if it proves the path's fingerprint offline.</summary>
internal sealed class ProofElector(Elector.ProofFiles elector, Upstream server, TimeProvider time) : FileElector(server)
{
    public override Elector Elector => elector;

    protected override Ballot JudgeFound(StorePath path, UpstreamAnswer answer, CandidateValues values)
    {
        var file = answer is UpstreamAnswer.FoundFile found ? found.File : throw new System.Diagnostics.UnreachableException();
        var ballot = ProofFile.IsWithoutText(file.Span, elector) ? JudgeWithTexts(path, file, values)
            : ProofFile.Judge(file, elector, path, time.GetUtcNow());
        if (ballot is Ballot.Silent)
        {
            Source.Forget(path.Digest); // a better file may take its place
        }

        return ballot;
    }

    /// <summary>Judges a file with each text that was offered, since it does not say what was signed. A new candidate has it judged
    /// again.</summary>
    private Ballot JudgeWithTexts(StorePath path, ReadOnlyMemory<byte> file, CandidateValues values) => values.Fingerprints
        .Select(text => ProofFile.Judge(ProofFile.With(text, file), elector, path, time.GetUtcNow()))
        .FirstOrDefault(judged => judged is Ballot.Claimed or Ballot.Silent { Reason: SilenceReason.Unwitnessed })
            ?? (SigsumProof.TryParse(file.Span, out _) ? new Ballot.Silent(SilenceReason.UnprovenHash)
                : new Ballot.Silent(SilenceReason.BadProof) { IsAnswer = true });
}
