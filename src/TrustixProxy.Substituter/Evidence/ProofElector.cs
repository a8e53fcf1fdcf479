using TrustixProxy.Consensus;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Queries a server of proof files: a file is a vote if it proves the path's fingerprint offline.</summary>
internal sealed class ProofElector(Elector.ProofFiles elector, Upstream server, TimeProvider time) : FileElector(server)
{
    public override Elector Elector => elector;

    protected override Ballot JudgeFound(StorePath path, UpstreamAnswer answer)
    {
        var ballot = answer is UpstreamAnswer.FoundProof { File: var file }
            ? ProofFile.Judge(file, elector, path, time.GetUtcNow()) : throw new System.Diagnostics.UnreachableException();
        if (ballot is Ballot.Silent)
        {
            Source.Forget(path.Digest); // a better file may take its place
        }

        return ballot;
    }
}
