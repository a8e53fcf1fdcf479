using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>A server of proof files that votes, with its address.</summary>
/// <param name="Elector">Its elector.</param>
/// <param name="Url">http or https, may have a path.</param>
public sealed record ProofOptions(Elector.ProofFiles Elector, Uri Url)
{
    /// <summary>Who we are to it, and who vouches for it; null for what the upstream at the same address has.</summary>
    public PeerTls? Tls { get; init; }
}
