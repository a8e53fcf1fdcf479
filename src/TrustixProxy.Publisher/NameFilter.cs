using System.Collections.Immutable;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>Selects the published paths by the name after the digest: <c>*</c> matches any characters, <c>?</c> one;
/// case-sensitive.</summary>
/// <param name="Include">A name must match one of these; all names do when empty.</param>
/// <param name="Exclude">A matching name is not published.</param>
public sealed record NameFilter(ImmutableArray<string> Include, ImmutableArray<string> Exclude)
{
    /// <summary>Admits every path.</summary>
    public static NameFilter All { get; } = new([], []);

    /// <summary>Whether a path may be published.</summary>
    public bool Admits(StorePath path) => (Include.IsEmpty || Matches(Include, path)) && !Matches(Exclude, path);

    /// <summary>Returns the first reference of an output whose name must stay secret; null when there is none.</summary>
    /// <remarks>A log shows references to everyone. An output that references an excluded name reveals it as much as the excluded path
    /// does.</remarks>
    public StorePath? FindHidden(IEnumerable<StorePath> references) => references.FirstOrDefault(reference => Matches(Exclude, reference));

    private static bool Matches(ImmutableArray<string> globs, StorePath path) =>
        globs.Any(glob => NameGlob.Matches(glob, path));
}
