namespace TrustixProxy.TransparencyLog.Tests;

/// <summary>The definitions, written down as they stand in RFC 6962 and in the map's description: slow, recursive, and sharing nothing with
/// what they check.</summary>
internal static class SlowReference
{
    public static Digest LogRoot(ReadOnlySpan<Digest> leaves) => leaves.Length switch
    {
        0 => TransparencyLog.Digest.Of([]),
        1 => leaves[0],
        _ => Node(LogRoot(leaves[..Split(leaves.Length)]), LogRoot(leaves[Split(leaves.Length)..])),
    };

    public static List<Digest> Path(int m, ReadOnlySpan<Digest> d)
    {
        if (d.Length is 1)
        {
            return [];
        }

        var k = Split(d.Length);
        return m < k ? [.. Path(m, d[..k]), LogRoot(d[k..])] : [.. Path(m - k, d[k..]), LogRoot(d[..k])];
    }

    public static List<Digest> Proof(int m, ReadOnlySpan<Digest> d) => m is 0 || m == d.Length ? [] : SubProof(m, d, true);

    public static Digest MapRoot(IReadOnlyCollection<(Digest Path, Digest ValueHash)> leaves, int depth = 0)
    {
        switch (leaves.Count)
        {
            case 0:
                return default;
            case 1:
                var (path, valueHash) = leaves.Single();
                return TransparencyLog.Digest.Of([0, .. path.ToArray(), .. valueHash.ToArray()]);
            default:
                var halves = leaves.ToLookup(leaf => leaf.Path.Bit(depth));
                return Node(MapRoot([.. halves[false]], depth + 1), MapRoot([.. halves[true]], depth + 1));
        }
    }

    private static List<Digest> SubProof(int m, ReadOnlySpan<Digest> d, bool b)
    {
        if (m == d.Length)
        {
            return b ? [] : [LogRoot(d)];
        }

        var k = Split(d.Length);
        return m <= k ? [.. SubProof(m, d[..k], b), LogRoot(d[k..])] : [.. SubProof(m - k, d[k..], false), LogRoot(d[..k])];
    }

    private static int Split(int n)
    {
        var k = 1;
        while (k * 2 < n)
        {
            k *= 2;
        }

        return k;
    }

    private static Digest Node(Digest left, Digest right) => TransparencyLog.Digest.Of([1, .. left.ToArray(), .. right.ToArray()]);
}
