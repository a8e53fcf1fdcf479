using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Comparison;

/// <summary>What came of a comparison.</summary>
/// <param name="Removed">How many paths only the first NAR has.</param>
/// <param name="Added">How many paths only the second NAR has.</param>
/// <param name="Changed">How many paths both have, and not the same.</param>
/// <param name="Same">How many paths both have alike.</param>
/// <param name="HashA">The first NAR's hash, as it was read.</param>
/// <param name="HashB">The second NAR's hash, as it was read.</param>
public sealed record ComparisonResult(long Removed, long Added, long Changed, long Same, NixHash HashA, NixHash HashB)
{
    /// <summary>Whether the NARs are the same.</summary>
    public bool IsSame => HashA == HashB;
}

/// <summary>Compares two NARs while they stream in. Their entries are sorted, so they are merged; memory is a few buffers, however large
/// they are.</summary>
public static class NarComparison
{
    /// <summary>Compares to the end; tells of each difference as soon as it is known, in the order of the archives.</summary>
    /// <exception cref="NarUnreadableException">One of them could not be read to its end, or is not what it was said to be. What was told
    /// until then is so.</exception>
    public static async Task<ComparisonResult> RunAsync(
        NarSource a, NarSource b, Action<NarDifference> tell, CancellationToken cancellation)
    {
        await using var first = new NarWalk(a, cancellation);
        await using var second = new NarWalk(b, cancellation);
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

    /// <summary>The order in which archives have their nodes: name by name, each by its bytes.</summary>
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
