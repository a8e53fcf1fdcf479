using System.Collections.Immutable;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Wanted;

/// <summary>Names that the work list neither shows nor stores.</summary>
/// <param name="globs">Globs of store path names; one that matches an output's name covers its derivation too.</param>
internal sealed class PrivateNames(ImmutableArray<string> globs)
{
    private const string DerivationSuffix = ".drv";

    public bool Cover(StorePath path) => globs.Any(glob => NameGlob.Matches(glob, path) || (OutputOf(path) is { } output
        && NameGlob.Matches(glob, output)));

    /// <summary>Removes private derivers; null if the path itself is private.</summary>
    public WantedPath? Show(WantedPath wanted) => globs.IsEmpty ? wanted : Cover(wanted.Path) ? null
        : wanted with { Derivers = [.. wanted.Derivers.Where(deriver => !Cover(deriver))] };

    private static StorePath? OutputOf(StorePath path) => path.Name.EndsWith(DerivationSuffix, StringComparison.Ordinal)
        && StorePath.TryParse(path.ToString().AsSpan()[..^DerivationSuffix.Length], path.Store, out var output, out _) ? output : null;
}
