using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>The map of a mirrored log: the hashes of subtrees with many leaves are stored, all others are made of their leaves when they
/// are needed.</summary>
/// <remarks>A subtree with one leaf is that leaf, an empty one the placeholder, any other the hash of its halves.</remarks>
internal static class MirrorMap
{
    /// <summary>A subtree with more leaves than this has its hash stored.</summary>
    private const int MaxLeaves = 8;

    /// <summary>From so many new entries on, the whole map is hashed again: it takes no longer.</summary>
    private const int MaxNew = 100_000;

    private const int MaxDepth = 256;

    /// <summary>The proof that a path has the leaf that it has among the first <paramref name="size"/> entries, or that it has
    /// none.</summary>
    public static MapProof Prove(MirrorReader reader, long size, Digest path, out MapLeaf? found)
    {
        var sideNodes = new List<Digest>();
        var at = default(MapPrefix);
        for (var mayBeSplit = true; mayBeSplit && at.Depth < MaxDepth;)
        {
            var (isRight, (left, right)) = (path.Bit(at.Depth), reader.FindHalves(at));
            if (left is null && right is null)
            {
                break; // few leaves in each: they are read together
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

    /// <summary>Puts entries into the map, in a transaction of the caller's.</summary>
    /// <param name="store">The mirror.</param>
    /// <param name="from">The map holds the entries before this one.</param>
    /// <param name="to">It is to hold the entries before this one.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The map's root, and how many subtrees were looked at.</returns>
    /// <exception cref="InvalidDataException">A key is repeated: there is no such map.</exception>
    public static (Digest Root, long Subtrees) Extend(MirrorStore store, long from, long to, CancellationToken cancellation)
    {
        var hashing = new Hashing(store, to, cancellation);
        var root = hashing.Hash(default, from > 0 && to - from < MaxNew ? store.Writer.Paths(from, to) : null);
        return (root, hashing.Subtrees);
    }

    private static Digest HashOf(MirrorReader reader, long size, MapPrefix at) =>
        (at.Depth < MaxDepth ? reader.FindSubtree(at) : null) ?? HashOfLeaves(reader, size, at);

    private static Digest HashOfLeaves(MirrorReader reader, long size, MapPrefix at) => HashOf(reader.LeavesIn(at, size), at.Depth);

    /// <remarks>Puts the leaves in the order of the map.</remarks>
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

    /// <summary>Puts those of the left half before those of the right; gives how many there are of the left.</summary>
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

    /// <summary>Hashes what has changed, subtree by subtree from the root down.</summary>
    /// <param name="store">The mirror.</param>
    /// <param name="size">How many entries the map holds.</param>
    /// <param name="cancellation">Ends it.</param>
    private sealed class Hashing(MirrorStore store, long size, CancellationToken cancellation)
    {
        /// <summary>How many subtrees were looked at.</summary>
        public long Subtrees { get; private set; }

        /// <param name="at">The subtree.</param>
        /// <param name="changed">Paths in it that are new; null when all are to be hashed.</param>
        public Digest Hash(MapPrefix at, List<Digest>? changed)
        {
            cancellation.ThrowIfCancellationRequested();
            Subtrees++;
            if (changed is { Count: 0 })
            {
                return HashOf(store.Writer, size, at);
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
    }
}
