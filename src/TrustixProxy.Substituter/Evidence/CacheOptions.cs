using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>How a server publishes what its keys have signed.</summary>
public enum CacheProtocol
{
    /// <summary>A binary cache: narinfos with signatures.</summary>
    NarInfo,

    /// <summary>A lila server: attestations by rebuilders, without size and references.</summary>
    Lila,
}

/// <summary>A signed cache or a rebuilder that votes, with its address.</summary>
/// <param name="Elector">Its elector.</param>
/// <param name="Url">http or https, may have a path.</param>
/// <param name="Protocol">How the server publishes the votes.</param>
public sealed record CacheOptions(Elector.Cache Elector, Uri Url, CacheProtocol Protocol = CacheProtocol.NarInfo)
{
    /// <summary>Who we are to it, and who vouches for it; null for what the upstream at the same address has.</summary>
    public PeerTls? Tls { get; init; }
}
