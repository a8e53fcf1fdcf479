using System.Collections.Immutable;
using TrustixProxy.Nix;
using TrustixProxy.Rebuilder.Derivations;

namespace TrustixProxy.Rebuilder.Builds;

/// <summary>What is to be rebuilt.</summary>
/// <param name="Path">A store path, or a derivation (<c>….drv</c>).</param>
/// <param name="Hints">Derivations that others name for the path; each is checked.</param>
public sealed record RebuildTarget(StorePath Path, ImmutableArray<StorePath> Hints)
{
    /// <summary>The file that the derivation is in; null when it is in the store.</summary>
    public DerivationFile? File { get; init; }

    /// <summary>Whether the derivation itself is given.</summary>
    public bool IsDerivation => Derivation.IsNamedBy(Path);
}
