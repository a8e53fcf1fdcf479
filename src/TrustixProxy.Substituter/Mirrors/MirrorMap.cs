using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Mirrors;

/// <summary>The map of a mirrored log: the hashes of subtrees with many leaves are stored, all others are made of their leaves when they are needed.</summary>
/// <remarks>A subtree with one leaf is that leaf, an empty one the placeholder, any other the hash of its halves.</remarks>
internal static class MirrorMap
{
    /// <summary>A subtree with more leaves than this has its hash stored.</summary>
    private const int MaxLeaves = 8;

    /// <summary>From so many new entries on, the whole map is hashed again: it takes no longer.</summary>
    private const int MaxNew = 100_000;

    private const int MaxDepth = 256;

    /// <summary>The proof that a path has the leaf that it has among the first <paramref name="size"/> entries, or that it has none.</summary>
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
    /// <param name="again">Told of entries whose key stands in an earlier one, which the map keeps: the number of this entry and of that one.</param>
    /// <returns>The map's root.</returns>
    public static Digest Extend(MirrorStore store, long from, long to, Action<long, long> again)
    {
        var changed = from > 0 && to - from < MaxNew ? store.Writer.Paths(from, to) : null;
        return Hash(store, to, default, changed, again);
    }

    /// <param name="store">The mirror.</param>
    /// <param name="size">How many entries the map holds.</param>
    /// <param name="at">The subtree.</param>
    /// <param name="changed">Paths in it that are new; null when all are to be hashed.</param>
    /// <param name="again">As above.</param>
    private static Digest Hash(MirrorStore store, long size, MapPrefix at, List<Digest>? changed, Action<long, long> again)
    {
        if (changed is { Count: 0 })
        {
            return HashOf(store.Writer, size, at);
        }

        if (at.Depth == MaxDepth || !store.Writer.HasMoreIn(at, size, MaxLeaves))
        {
            var (first, later) = (new Dictionary<Digest, MapLeaf>(), new List<MapLeaf>());
            later.AddRange(store.Writer.LeavesIn(at, size).OrderBy(leaf => leaf.Index).Where(leaf => !first.TryAdd(leaf.Path, leaf)));
            foreach (var leaf in later)
            {
                again(leaf.Index, first[leaf.Path].Index);
                store.Unindex(leaf.Index);
            }

            return HashOf(first.Values.ToArray(), at.Depth);
        }

        var left = Hash(store, size, at.Half(false), changed?.FindAll(path => !path.Bit(at.Depth)), again);
        var hash = MerkleHash.Node(left, Hash(store, size, at.Half(true), changed?.FindAll(path => path.Bit(at.Depth)), again));
        store.PutSubtree(at, hash);
        return hash;
    }

    private static Digest HashOf(MirrorReader reader, long size, MapPrefix at) => (at.Depth < MaxDepth ? reader.FindSubtree(at) : null) ?? HashOfLeaves(reader, size, at);

    private static Digest HashOfLeaves(MirrorReader reader, long size, MapPrefix at) => HashOf(reader.LeavesIn(at, size), at.Depth);

    /// <remarks>Puts the leaves in the order of the map.</remarks>
    private static Digest HashOf(Span<MapLeaf> leaves, int depth)
    {
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
}
