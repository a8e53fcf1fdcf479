using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Mirrors;

/// <summary>The map of a mirrored log: the hashes of subtrees with many leaves are stored, all others are made of their leaves when they are needed.</summary>
/// <remarks>A subtree with one leaf is that leaf, an empty one the placeholder, any other the hash of its halves.</remarks>
internal static class MirrorMap
{
    /// <summary>A subtree with more leaves than this has its hash stored.</summary>
    private const int MaxLeaves = 64;

    /// <summary>From so many new entries on, the whole map is hashed again: it takes no longer.</summary>
    private const int MaxNew = 100_000;

    private const int MaxDepth = 256;

    /// <summary>The proof that a path has the leaf that it has among the first <paramref name="size"/> entries, or that it has none.</summary>
    public static MapProof Prove(MirrorReader reader, long size, Digest path, out MapLeaf? found)
    {
        var sideNodes = new List<Digest>();
        var at = default(MapPrefix);
        while (at.Depth < MaxDepth && reader.FindSubtree(at) is not null)
        {
            var isRight = path.Bit(at.Depth);
            sideNodes.Add(HashOf(reader, size, at.Half(!isRight)));
            at = at.Half(isRight);
        }

        var leaves = reader.LeavesIn(at, size).ToList();
        for (var depth = at.Depth; leaves.Count > 1; depth++)
        {
            var isRight = path.Bit(depth);
            sideNodes.Add(HashOf(leaves.FindAll(leaf => leaf.Path.Bit(depth) != isRight), depth + 1));
            leaves = leaves.FindAll(leaf => leaf.Path.Bit(depth) == isRight);
        }

        sideNodes.Reverse();
        MapLeaf? end = leaves.Count is 1 ? leaves[0] : null;
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
            later.AddRange(store.Writer.LeavesIn(at, size).Where(leaf => !first.TryAdd(leaf.Path, leaf)));
            foreach (var leaf in later)
            {
                again(leaf.Index, first[leaf.Path].Index);
                store.Unindex(leaf.Index);
            }

            return HashOf([.. first.Values], at.Depth);
        }

        var left = Hash(store, size, at.Half(false), changed?.FindAll(path => !path.Bit(at.Depth)), again);
        var hash = MerkleHash.Node(left, Hash(store, size, at.Half(true), changed?.FindAll(path => path.Bit(at.Depth)), again));
        store.PutSubtree(at, hash);
        return hash;
    }

    private static Digest HashOf(MirrorReader reader, long size, MapPrefix at) => (at.Depth < MaxDepth ? reader.FindSubtree(at) : null) ?? HashOf(reader.LeavesIn(at, size).ToList(), at.Depth);

    private static Digest HashOf(List<MapLeaf> leaves, int depth) => leaves.Count switch
    {
        0 => default,
        1 => MerkleHash.MapLeaf(leaves[0].Path, leaves[0].ValueHash),
        _ => MerkleHash.Node(HashOf(leaves.FindAll(leaf => !leaf.Path.Bit(depth)), depth + 1), HashOf(leaves.FindAll(leaf => leaf.Path.Bit(depth)), depth + 1)),
    };
}
