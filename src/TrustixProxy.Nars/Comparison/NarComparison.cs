using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Comparison;

/// <summary>The result of a comparison.</summary>
/// <param name="Removed">Number of paths only in the first NAR.</param>
/// <param name="Added">Number of paths only in the second NAR.</param>
/// <param name="Changed">Number of paths in both that differ.</param>
/// <param name="Same">Number of paths equal in both.</param>
/// <param name="HashA">Computed hash of the first NAR.</param>
/// <param name="HashB">Computed hash of the second NAR.</param>
public sealed record ComparisonResult(long Removed, long Added, long Changed, long Same, NixHash HashA, NixHash HashB)
{
    /// <summary>Whether the NARs are equal.</summary>
    public bool IsSame => HashA == HashB;
}

/// <summary>Compares two NARs while they stream in, by merging their sorted entries. Memory is a few buffers, whatever their
/// size.</summary>
public static class NarComparison
{
    /// <summary>Compares both NARs to the end and reports each difference when it is found, in archive order.</summary>
    /// <exception cref="NarUnreadableException">A NAR could not be read to its end, or contradicts its claim. Differences reported before
    /// are correct.</exception>
    public static async Task<ComparisonResult> RunAsync(
        NarSource a, NarSource b, Action<NarDifference> tell, CancellationToken cancellation)
    {
        await using var first = new NarWalk(a, allowsCaseHack: false, cancellation);
        await using var second = new NarWalk(b, allowsCaseHack: false, cancellation);
        var contents = new ContentComparison(first, second);
        var (counts, same) = (new long[3], 0L);
        await Task.WhenAll(first.MoveNextAsync(), second.MoveNextAsync());
        while (first.Node is not null || second.Node is not null)
        {
            var order = first.Node is null ? 1 : second.Node is null ? -1 : Compare(first.Path, second.Path);
            if (await DifferenceAsync(first, second, order, contents) is { } difference)
            {
                counts[(int)difference.Change]++;
                tell(difference);
            }
            else
            {
                same++;
            }

            await Task.WhenAll(
                order <= 0 ? first.MoveNextAsync() : Task.CompletedTask, order >= 0 ? second.MoveNextAsync() : Task.CompletedTask);
        }

        return new ComparisonResult(counts[(int)NarChange.Removed], counts[(int)NarChange.Added], counts[(int)NarChange.Changed], same,
            first.NarHash!, second.NarHash!);
    }

    private static async Task<NarDifference?> DifferenceAsync(NarWalk a, NarWalk b, int order, ContentComparison contents)
    {
        var (nodeA, nodeB) = (order <= 0 ? a.Node : null, order >= 0 ? b.Node : null);
        var areFiles = nodeA?.Kind is NarNodeKind.File && nodeB?.Kind is NarNodeKind.File;
        var difference = areFiles ? await contents.RunAsync() : null;
        return difference is null && nodeA == nodeB
            && a.Target.AsSpan().SequenceEqual(nodeA?.Kind is NarNodeKind.Symlink ? b.Target : a.Target)
            ? null
            : new NarDifference(PathOf(order <= 0 ? a : b),
                order switch { < 0 => NarChange.Removed, > 0 => NarChange.Added, _ => NarChange.Changed }, nodeA, nodeB, difference);
    }

    private static string PathOf(NarWalk walk) =>
        walk.Path.Length is 0 ? "." : string.Join('/', walk.Path.Select(name => Printable.Of(name)));

    /// <summary>Compares two paths in archive order: name by name, bytewise.</summary>
    private static int Compare(byte[][] a, byte[][] b)
    {
        for (var i = 0; i < Math.Min(a.Length, b.Length); i++)
        {
            if (a[i].AsSpan().SequenceCompareTo(b[i]) is var order and not 0)
            {
                return order;
            }
        }

        return a.Length.CompareTo(b.Length);
    }
}
