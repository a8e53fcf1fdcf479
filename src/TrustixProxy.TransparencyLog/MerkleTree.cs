using System.Numerics;

namespace TrustixProxy.TransparencyLog;

/// <summary>Returns the root of a full subtree: of the 2^<paramref name="level"/> leaves from leaf <paramref name="index"/> *
/// 2^<paramref name="level"/>.</summary>
/// <param name="level">0 for a leaf.</param>
/// <param name="index">Index of the subtree on its level, from the left, from 0.</param>
public delegate Digest FullSubtree(int level, long index);

/// <summary>Computes roots and proofs of the log and the map-head log from their full subtrees, which never change.</summary>
/// <remarks>Source: RFC 6962, sections 2.1 to 2.1.2 (MTH, PATH, PROOF).</remarks>
public static class MerkleTree
{
    /// <summary>Computes the root of a full subtree from its nodes at one level.</summary>
    /// <param name="nodes">A power of two of nodes, from the left.</param>
    public static Digest RootOf(ReadOnlySpan<Digest> nodes) => nodes.Length is 1
        ? nodes[0]
        : MerkleHash.Node(RootOf(nodes[..(nodes.Length / 2)]), RootOf(nodes[(nodes.Length / 2)..]));

    /// <summary>Computes the root of the first <paramref name="size"/> leaves.</summary>
    public static Digest Root(long size, FullSubtree subtrees) => size is 0 ? MerkleHash.EmptyLog : Root(0, size, subtrees);

    /// <summary>Proves that leaf <paramref name="index"/> is among the first <paramref name="size"/>; nodes from the leaf up.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The leaf does not exist.</exception>
    public static Digest[] InclusionProof(long index, long size, FullSubtree subtrees)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, size);
        var proof = new List<Digest>();
        var (start, end) = (0L, size);
        while (end - start > 1)
        {
            var middle = start + Split(end - start);
            proof.Add(index < middle ? Root(middle, end, subtrees) : Root(start, middle, subtrees));
            (start, end) = index < middle ? (start, middle) : (middle, end);
        }

        proof.Reverse();
        return [.. proof];
    }

    /// <summary>Proves that the first <paramref name="newer"/> leaves begin with the first <paramref name="older"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="older"/> is negative or larger than
    /// <paramref name="newer"/>.</exception>
    public static Digest[] ConsistencyProof(long older, long newer, FullSubtree subtrees)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(older);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(older, newer);
        if (older is 0 || older == newer)
        {
            return [];
        }

        var proof = new List<Digest>();
        var (start, end) = (0L, newer);
        while (end != older)
        {
            var middle = start + Split(end - start);
            proof.Add(older <= middle ? Root(middle, end, subtrees) : Root(start, middle, subtrees));
            (start, end) = older <= middle ? (start, middle) : (middle, end);
        }

        if (start > 0)
        {
            proof.Add(Root(start, end, subtrees));
        }

        proof.Reverse();
        return [.. proof];
    }

    /// <summary>Appends a leaf to a log of <paramref name="size"/> leaves. Calls <paramref name="keep"/> for the leaf and each subtree it
    /// completes, small to large.</summary>
    public static void Append(long size, Digest leaf, FullSubtree subtrees, Action<int, long, Digest> keep)
    {
        keep(0, size, leaf);
        for (var level = 0; (size >> level & 1) == 1; level++)
        {
            leaf = MerkleHash.Node(subtrees(level, (size >> level) - 1), leaf);
            keep(level + 1, size >> (level + 1), leaf);
        }
    }

    /// <summary>Computes the root of the leaves from <paramref name="start"/> to before <paramref name="end"/>; the start is a multiple of
    /// the largest power of two within.</summary>
    private static Digest Root(long start, long end, FullSubtree subtrees)
    {
        var size = end - start;
        if (BitOperations.IsPow2(size))
        {
            var level = BitOperations.TrailingZeroCount((ulong)size);
            return subtrees(level, start >> level);
        }

        var middle = start + Split(size);
        return MerkleHash.Node(Root(start, middle, subtrees), Root(middle, end, subtrees));
    }

    /// <summary>Returns the largest power of two smaller than <paramref name="size"/>.</summary>
    private static long Split(long size) => 1L << (63 - BitOperations.LeadingZeroCount((ulong)(size - 1)));
}
