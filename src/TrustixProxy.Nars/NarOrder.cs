using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars;

/// <summary>A NAR that may be served: the agreed claim, and the bytes that the client's URL names.</summary>
/// <param name="Compression">The compression of the bytes.</param>
/// <param name="FileHash">SHA-256 of the bytes.</param>
/// <param name="MustMatch">The content address the NAR must have, where no elector vouches for the claim; otherwise null.</param>
/// <param name="IsRevoked">Whether the claim is revoked, whatever was decided; checked last, before the response begins.</param>
public sealed record NarOrder(OutputClaim Claim, string Compression, NixHash FileHash, ContentAddress? MustMatch, Func<bool> IsRevoked);
