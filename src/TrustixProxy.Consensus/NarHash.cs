using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>A hash known to be SHA-256, the only algorithm of NAR hashes.</summary>
internal sealed record NarHash(NixHash Value)
{
    public static bool TryParse(string? text, [NotNullWhen(true)] out NarHash? narHash)
    {
        narHash = NixHash.TryParse(text, out var hash, out _) && hash.Algorithm is NixHashAlgorithm.Sha256 ? new NarHash(hash) : null;
        return narHash is not null;
    }
}
