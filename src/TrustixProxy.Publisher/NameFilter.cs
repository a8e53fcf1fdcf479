using System.Collections.Immutable;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>Which paths are published, by the name after the digest: <c>*</c> stands for any characters, <c>?</c> for one. Upper and lower
/// case differ.</summary>
/// <param name="Include">A name has to match one of these; every name does when there are none.</param>
/// <param name="Exclude">A name that matches one of these is not published.</param>
public sealed record NameFilter(ImmutableArray<string> Include, ImmutableArray<string> Exclude)
{
    /// <summary>Lets every path through.</summary>
    public static NameFilter All { get; } = new([], []);

    /// <summary>Whether a path may be published.</summary>
    public bool Admits(StorePath path) => (Include.IsEmpty || Matches(Include, path)) && !Matches(Exclude, path);

    /// <summary>The first reference of an output whose name may not be told; null when there is none.</summary>
    /// <remarks>A log shows references to everyone: an output that names what <see cref="Exclude"/> holds back tells as much as that
    /// itself.</remarks>
    public StorePath? FindHidden(IEnumerable<StorePath> references) => references.FirstOrDefault(reference => Matches(Exclude, reference));

    private static bool Matches(ImmutableArray<string> globs, StorePath path) =>
        globs.Any(glob => NameGlob.Matches(glob, path));
}
