using System.Runtime.CompilerServices;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Walks closures breadth-first and looks at each path once, also where references form a circle.</summary>
/// <typeparam name="T">What is found out about a path.</typeparam>
/// <param name="find">Looks at one path; up to 16 calls run at once.</param>
/// <param name="references">The references of what was found; the walk goes on there.</param>
/// <param name="isKnown">Whether a path, and all it needs, was looked at before; the walk passes over it.</param>
internal sealed class ClosureWalk<T>(
    Func<StorePath, CancellationToken, Task<T>> find, Func<T, IEnumerable<StorePath>> references, Func<StorePath, bool> isKnown)
{
    /// <summary>Maximum paths of a walk; a NixOS system has some thousands.</summary>
    public const int MaxPaths = 100_000;

    private const int AtOnce = 16;

    private readonly HashSet<StorePath> _seen = [];

    /// <summary>All paths that the walk reached, including known ones.</summary>
    public IReadOnlyCollection<StorePath> Seen => _seen;

    /// <summary>Whether the walk ended early because it reached more than <see cref="MaxPaths"/> paths.</summary>
    public bool IsTooLarge => _seen.Count > MaxPaths;

    /// <summary>Looks at these paths and all that they need; returns a few at a time, so that the caller can stop.</summary>
    public IAsyncEnumerable<IReadOnlyList<(StorePath Path, T Found)>> RunAsync(
        IEnumerable<StorePath> starts, CancellationToken cancellation) => WalkAsync(Next(starts), cancellation);

    /// <summary>Looks at all that a path needs, but not at the path itself.</summary>
    public IAsyncEnumerable<IReadOnlyList<(StorePath Path, T Found)>> RunBelowAsync(
        StorePath start, T found, CancellationToken cancellation)
    {
        _seen.Add(start);
        return WalkAsync(Next(references(found)), cancellation);
    }

    private async IAsyncEnumerable<IReadOnlyList<(StorePath Path, T Found)>> WalkAsync(
        List<StorePath> level, [EnumeratorCancellation] CancellationToken cancellation)
    {
        while (level.Count > 0 && !IsTooLarge)
        {
            var all = new List<T>();
            foreach (var part in level.Chunk(AtOnce))
            {
                var found = await Task.WhenAll(part.Select(async path => (Path: path, Found: await find(path, cancellation))));
                all.AddRange(found.Select(item => item.Found));
                yield return found;
            }

            level = Next(all.SelectMany(references));
        }
    }

    private List<StorePath> Next(IEnumerable<StorePath> paths) => [.. paths.Where(_seen.Add).Where(path => !isKnown(path))];
}
