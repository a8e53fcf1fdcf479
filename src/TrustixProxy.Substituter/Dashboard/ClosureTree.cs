using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>What is known about a path of a closure.</summary>
/// <param name="Outcome">The last decision; null if there is none.</param>
/// <param name="References">What it refers to; empty for what is not served.</param>
internal sealed record ClosurePath(StorePath Path, Outcome? Outcome, ImmutableArray<StorePath> References)
{
    /// <summary>Whether it would be served.</summary>
    public bool IsServed => Outcome is { } outcome && VerdictChart.KindOf(outcome) is "good" or "ok";

    /// <summary>Whether it is refused; a path without a decision is neither served nor refused.</summary>
    public bool IsRefused => Outcome is not null && !IsServed;
}

/// <summary>A path in a tree of references, under the nearest path that refers to it.</summary>
/// <param name="Refused">Number of refused paths below it.</param>
internal sealed record ClosureNode(ClosurePath Found, IReadOnlyList<ClosureNode> Below, int Refused);

/// <summary>The closure of a path as a tree; each path stands in it once.</summary>
/// <param name="Root">The path.</param>
/// <param name="Paths">All paths, the nearest first.</param>
/// <param name="IsWhole">Whether no path was left out for size.</param>
internal sealed record ClosureTree(ClosureNode Root, IReadOnlyList<ClosurePath> Paths, bool IsWhole)
{
    /// <summary>Maximum number of references between the root and a path.</summary>
    private const int Deepest = 40;

    /// <summary>Builds the tree, breadth-first. What is not decided yet is not asked for.</summary>
    /// <param name="look">Looks at one path.</param>
    /// <param name="most">Maximum number of paths.</param>
    public static ClosureTree Of(StorePath root, Func<StorePath, ClosurePath> look, int most)
    {
        var (found, below) = (new List<ClosurePath> { look(root) }, new Dictionary<StorePath, List<StorePath>>());
        var (depths, isWhole) = (new Dictionary<StorePath, int> { [root] = 0 }, true);
        for (var i = 0; i < found.Count; i++)
        {
            var own = below[found[i].Path] = [];
            foreach (var reference in found[i].References.Where(reference => !depths.ContainsKey(reference)))
            {
                var depth = depths[found[i].Path] + 1;
                if (found.Count >= most || depth > Deepest)
                {
                    isWhole = false;
                    break;
                }

                depths[reference] = depth;
                own.Add(reference);
                found.Add(look(reference));
            }
        }

        var nodes = new Dictionary<StorePath, ClosureNode>();
        foreach (var item in found.AsEnumerable().Reverse())
        {
            List<ClosureNode> children = [.. below[item.Path].Select(path => nodes[path])
                .OrderByDescending(node => node.Found.IsRefused).ThenByDescending(node => node.Refused > 0)
                .ThenBy(node => node.Found.Path.Name, StringComparer.Ordinal)];
            nodes[item.Path] = new ClosureNode(item, children, children.Sum(node => node.Refused + (node.Found.IsRefused ? 1 : 0)));
        }

        return new ClosureTree(nodes[root], found, isWhole);
    }

    /// <summary>Looks a path up in what was decided, without asking anybody.</summary>
    public static ClosurePath Look(StorePath path, ProxyParts parts, DecisionJournal journal)
    {
        if (parts.Revocations.Standing.Find(path.Digest) is not null)
        {
            return new ClosurePath(path, Outcome.Revoked, []);
        }

        var refusal = parts.Refusals.Find(path.Digest)?.Decision.Record.Outcome;
        return parts.Cache.Peek(path.Digest) is { Claim: { } claim } record && claim.Path == path
            ? new ClosurePath(path, record.Outcome, [.. claim.References.Where(reference => reference != path)])
            : new ClosurePath(path, refusal ?? (journal.Find(path.Digest) is { } entry && entry.Path == path ? entry.Outcome : null), []);
    }
}
