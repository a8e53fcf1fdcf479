using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Simulation;

/// <summary>Another history of a log under the log's own key.</summary>
/// <param name="Head">Its head.</param>
/// <param name="LogProof">From a size to the head's, as the forked log has it.</param>
/// <param name="MapHeadProof">The same for the map-head log.</param>
/// <param name="MapRootProof">Of the last leaf of the map-head log.</param>
internal sealed record Fork(
    VerifiedTreeHead Head, Func<long, Digest[]> LogProof, Func<long, Digest[]> MapHeadProof, Func<Digest[]> MapRootProof)
{
    /// <summary>A second head of a known one's size.</summary>
    public static Fork Beside(MemoryLog log, VerifiedTreeHead known, Digest other) =>
        new(log.Signer.Sign(known.Content with { LogRoot = other }), _ => [], _ => [], () => []);

    /// <summary>A longer history that is not the continuation of a known head.</summary>
    /// <param name="log">The log.</param>
    /// <param name="other">What stands in the place of a leaf that every known head covers.</param>
    /// <param name="changesMapHeads">Whether the map-head log has another past, and not the log.</param>
    public static Fork After(MemoryLog log, Digest other, bool changesMapHeads)
    {
        var (logSize, mapHeads) = (log.Head.Content.TreeSize, log.Heads.Count);
        var leaves = Enumerable.Range(0, (int)logSize).Select(i => log.Leaf(i)).Append(other).ToArray();
        var heads = log.Heads.Select(head => MerkleHash.MapHeadLeaf(head.Content.MapRoot))
            .Append(MerkleHash.MapHeadLeaf(log.Head.Content.MapRoot)).ToArray();
        (changesMapHeads ? heads : leaves)[0] = other;
        var (logTree, mapHeadTree) = (Plant(leaves), Plant(heads));
        var head = new TreeHead(MerkleTree.Root(logSize + 1, logTree), logSize + 1, log.Head.Content.MapRoot,
            MerkleTree.Root(mapHeads + 1, mapHeadTree), mapHeads + 1);
        return new Fork(
            log.Signer.Sign(head), older =>
                MerkleTree.ConsistencyProof(older, logSize + 1, logTree), older =>
                MerkleTree.ConsistencyProof(older, mapHeads + 1, mapHeadTree), () =>
                MerkleTree.InclusionProof(mapHeads, mapHeads + 1, mapHeadTree));
    }

    /// <summary>Whether a consistency proof shows by itself that a log of this size has another past: where the size is a power of two, it
    /// takes one that begins a leaf later.</summary>
    public static bool IsShownAtOnce(long size) => size > 2 && (size & (size - 1)) is not 0;

    private static FullSubtree Plant(Digest[] leaves)
    {
        var nodes = new Dictionary<(int, long), Digest>();
        FullSubtree tree = (level, index) => nodes[(level, index)];
        for (var i = 0; i < leaves.Length; i++)
        {
            MerkleTree.Append(i, leaves[i], tree, (level, index, hash) => nodes.Add((level, index), hash));
        }

        return tree;
    }
}
