using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Inspection;

/// <summary>A refused path that a root needs.</summary>
/// <param name="Finding">What is found about the path.</param>
/// <param name="Chain">The shortest chain of references from the root to the path, with both; the root alone if it is refused
/// itself.</param>
public sealed record Obstacle(Finding Finding, IReadOnlyList<StorePath> Chain);

/// <summary>A root, and the refused paths that hold it back.</summary>
/// <param name="Root">What is found about the root itself.</param>
/// <param name="Paths">Number of paths in its closure, as far as it is known; the root counts.</param>
/// <param name="Obstacles">What holds it back: what is revoked first, then conflicts, and of each what others need most.</param>
public sealed record HeldRoot(Finding Root, int Paths, IReadOnlyList<Obstacle> Obstacles)
{
    /// <summary>Returns each root with what holds it back.</summary>
    /// <param name="roots">The roots; each has a finding.</param>
    /// <param name="findings">The findings about their closures.</param>
    public static IReadOnlyList<HeldRoot> Of(IEnumerable<StorePath> roots, IReadOnlyList<Finding> findings)
    {
        var known = findings.ToDictionary(finding => finding.Path);
        return [.. roots.Select(root => Of(root, known))];
    }

    private static HeldRoot Of(StorePath root, Dictionary<StorePath, Finding> known)
    {
        var referrers = new Dictionary<StorePath, StorePath?> { [root] = null }; // the first that the walk came from
        var next = new Queue<StorePath>([root]);
        while (next.TryDequeue(out var path))
        {
            foreach (var reference in known[path].References.Where(known.ContainsKey))
            {
                if (referrers.TryAdd(reference, path))
                {
                    next.Enqueue(reference);
                }
            }
        }

        var obstacles = Finding.WorstFirst(referrers.Keys.Select(path => known[path]).Where(finding => !finding.IsServed));
        return new HeldRoot(
            known[root], referrers.Count, [.. obstacles.Select(finding => new Obstacle(finding, Chain(finding.Path, referrers)))]);
    }

    private static List<StorePath> Chain(StorePath end, Dictionary<StorePath, StorePath?> referrers)
    {
        var chain = new List<StorePath>();
        for (var path = end; path is not null; path = referrers[path])
        {
            chain.Add(path);
        }

        chain.Reverse();
        return chain;
    }
}
