using System.Buffers.Binary;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>A row of the index: a digest prefix and an entry number.</summary>
internal readonly record struct IndexRow(long Prefix, long Index) : IComparable<IndexRow>
{
    /// <summary>Returns the prefix of a value's or map root's digest: its first 8 bytes.</summary>
    public static long PrefixOf(Digest digest)
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        digest.CopyTo(bytes);
        return BinaryPrimitives.ReadInt64BigEndian(bytes);
    }

    /// <summary>Returns the prefix of a store path's digest: its first 8 bytes.</summary>
    public static long PrefixOf(StorePathDigest digest) => BinaryPrimitives.ReadInt64BigEndian(digest.ToBytes());

    public int CompareTo(IndexRow other) => Prefix != other.Prefix ? Prefix.CompareTo(other.Prefix) : Index.CompareTo(other.Index);
}

/// <summary>Immutable index rows that no run on disk has yet, sorted, in a few arrays each at least twice as long as the next.</summary>
internal sealed class RecentEntries
{
    private readonly IndexRow[][] _runs;

    private RecentEntries(IndexRow[][] runs) => _runs = runs;

    public static RecentEntries None { get; } = new([]);

    /// <summary>Number of rows.</summary>
    public int Count => _runs.Sum(run => run.Length);

    /// <summary>Finds the entries under a prefix.</summary>
    public IEnumerable<long> Find(long prefix) => _runs.SelectMany(run => Find(run, prefix));

    /// <summary>Returns all rows, sorted.</summary>
    public IndexRow[] Sorted() => _runs.Reverse().Aggregate(Array.Empty<IndexRow>(), Merge);

    /// <summary>Returns these rows plus more.</summary>
    public RecentEntries With(IEnumerable<IndexRow> added)
    {
        var (last, runs) = (added.ToArray(), _runs.ToList());
        if (last.Length is 0)
        {
            return this;
        }

        Array.Sort(last);
        while (runs is [.., var before] && before.Length < 2 * last.Length)
        {
            last = Merge(before, last);
            runs.RemoveAt(runs.Count - 1);
        }

        return new RecentEntries([.. runs, last]);
    }

    private static IEnumerable<long> Find(IndexRow[] run, long prefix)
    {
        var at = Array.BinarySearch(run, new IndexRow(prefix, -1));
        for (at = at < 0 ? ~at : at; at < run.Length && run[at].Prefix == prefix; at++)
        {
            yield return run[at].Index;
        }
    }

    private static IndexRow[] Merge(IndexRow[] one, IndexRow[] other)
    {
        var merged = new IndexRow[one.Length + other.Length];
        var (i, j) = (0, 0);
        for (var k = 0; k < merged.Length; k++)
        {
            merged[k] = j == other.Length || (i < one.Length && one[i].CompareTo(other[j]) <= 0) ? one[i++] : other[j++];
        }

        return merged;
    }
}
