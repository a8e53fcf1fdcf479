using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars;

/// <summary>A NAR that may be served: the agreed claim, and the bytes that the client's URL names.</summary>
/// <param name="Claim">What was agreed on.</param>
/// <param name="Compression">How the bytes are compressed.</param>
/// <param name="FileHash">Their SHA-256.</param>
/// <param name="MustMatch">The address that the content must have, where nobody vouches for the claim; null where somebody does.</param>
/// <param name="IsRevoked">Whether it is no longer served, whatever was decided: asked last, before the answer begins.</param>
public sealed record NarOrder(OutputClaim Claim, string Compression, NixHash FileHash, ContentAddress? MustMatch, Func<bool> IsRevoked);
