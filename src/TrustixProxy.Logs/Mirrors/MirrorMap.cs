using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>Computes the map of a mirrored log. Stores the hashes of subtrees with many leaves and computes the others from their leaves
/// when needed.</summary>
/// <remarks>The hash of a subtree with one leaf is that leaf, of an empty one the placeholder, of any other the hash of its
/// halves.</remarks>
internal static class MirrorMap
{
    /// <summary>Subtrees with more leaves than this have a stored hash.</summary>
    private const int MaxLeaves = 8;

    /// <summary>From this number of new entries on, the whole map is hashed again: that is no slower.</summary>
    private const int MaxNew = 100_000;

    /// <summary>Maximum number of leaves that are read together when a whole subtree is hashed.</summary>
    private const int MaxTogether = 4096;

    private const int MaxDepth = 256;

    /// <summary>Proves that the first <paramref name="size"/> entries have this leaf at a path, or none.</summary>
    public static MapProof Prove(MirrorReader reader, long size, Digest path, out MapLeaf? found)
    {
        var sideNodes = new List<Digest>();
        var at = default(MapPrefix);
        for (var mayBeSplit = true; mayBeSplit && at.Depth < MaxDepth;)
        {
            var (isRight, (left, right)) = (path.Bit(at.Depth), reader.FindHalves(at));
            if (left is null && right is null)
            {
                break; // few leaves per subtree: they are read together
            }

            sideNodes.Add((isRight ? left : right) ?? HashOfLeaves(reader, size, at.Half(!isRight)));
            (at, mayBeSplit) = (at.Half(isRight), (isRight ? right : left) is not null);
        }

        Span<MapLeaf> leaves = reader.LeavesIn(at, size);
        for (var depth = at.Depth; leaves.Length > 1; depth++)
        {
            var (isRight, middle) = (path.Bit(depth), Part(leaves, depth));
            sideNodes.Add(HashOf(isRight ? leaves[..middle] : leaves[middle..], depth + 1));
            leaves = isRight ? leaves[middle..] : leaves[..middle];
        }

        sideNodes.Reverse();
        MapLeaf? end = leaves.Length is 1 ? leaves[0] : null;
        found = end?.Path == path ? end : null;
        return new MapProof([.. sideNodes], found is null && end is { } other ? (other.Path, other.ValueHash) : null);
    }

    /// <summary>Adds entries to the map, inside the caller's transaction.</summary>
    /// <param name="from">Number of entries already in the map.</param>
    /// <param name="to">Number of entries afterwards.</param>
    /// <returns>The map's root, and the number of subtrees visited.</returns>
    /// <exception cref="InvalidDataException">A key repeats, so no such map exists.</exception>
    public static (Digest Root, long Subtrees) Extend(MirrorStore store, long from, long to, CancellationToken cancellation)
    {
        var hashing = new Hashing(store, to, cancellation);
        var root = hashing.Hash(default, from > 0 && to - from < MaxNew ? store.Writer.Paths(from, to) : null);
        return (root, hashing.Subtrees);
    }

    private static Digest HashOf(MirrorReader reader, long size, MapPrefix at) =>
        (at.Depth < MaxDepth ? reader.FindSubtree(at) : null) ?? HashOfLeaves(reader, size, at);

    private static Digest HashOfLeaves(MirrorReader reader, long size, MapPrefix at) => HashOf(reader.LeavesIn(at, size), at.Depth);

    /// <remarks>Sorts the leaves into the order of the map.</remarks>
    private static Digest HashOf(Span<MapLeaf> leaves, int depth)
    {
        if (leaves.Length > 1 && depth == MaxDepth)
        {
            throw new InvalidDataException($"Entries {leaves[0].Index} and {leaves[1].Index} have one key.");
        }

        if (leaves.Length < 2)
        {
            return leaves.IsEmpty ? default : MerkleHash.MapLeaf(leaves[0].Path, leaves[0].ValueHash);
        }

        var middle = Part(leaves, depth);
        return MerkleHash.Node(HashOf(leaves[..middle], depth + 1), HashOf(leaves[middle..], depth + 1));
    }

    /// <summary>Moves the leaves of the left half before those of the right; returns the number on the left.</summary>
    private static int Part(Span<MapLeaf> leaves, int depth)
    {
        var middle = 0;
        for (var i = 0; i < leaves.Length; i++)
        {
            if (!leaves[i].Path.Bit(depth))
            {
                (leaves[i], leaves[middle]) = (leaves[middle], leaves[i]);
                middle++;
            }
        }

        return middle;
    }

    /// <summary>Hashes changed subtrees, from the root down.</summary>
    /// <param name="size">Number of entries in the map.</param>
    private sealed class Hashing(MirrorStore store, long size, CancellationToken cancellation)
    {
        /// <summary>Number of subtrees visited.</summary>
        public long Subtrees { get; private set; }

        /// <param name="changed">New paths in the subtree; null to hash everything.</param>
        public Digest Hash(MapPrefix at, List<Digest>? changed)
        {
            cancellation.ThrowIfCancellationRequested();
            Subtrees++;
            if (changed is { Count: 0 })
            {
                return HashOf(store.Writer, size, at);
            }

            if (changed is null && !store.Writer.HasMoreIn(at, size, MaxTogether))
            {
                return HashAll(at, store.Writer.LeavesIn(at, size));
            }

            if (at.Depth == MaxDepth || !store.Writer.HasMoreIn(at, size, MaxLeaves))
            {
                return HashOfLeaves(store.Writer, size, at);
            }

            var left = Hash(at.Half(false), changed?.FindAll(path => !path.Bit(at.Depth)));
            var hash = MerkleHash.Node(left, Hash(at.Half(true), changed?.FindAll(path => path.Bit(at.Depth))));
            store.PutSubtree(at, hash);
            return hash;
        }

        /// <summary>Hashes a subtree all of whose leaves were read.</summary>
        private Digest HashAll(MapPrefix at, Span<MapLeaf> leaves)
        {
            if (at.Depth == MaxDepth || leaves.Length <= MaxLeaves)
            {
                return HashOf(leaves, at.Depth);
            }

            Subtrees++;
            var middle = Part(leaves, at.Depth);
            var left = HashAll(at.Half(false), leaves[..middle]);
            var hash = MerkleHash.Node(left, HashAll(at.Half(true), leaves[middle..]));
            store.PutSubtree(at, hash);
            return hash;
        }
    }
}
