using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Computes the inner nodes of tiles, which are not stored.</summary>
internal static class TileNodes
{
    /// <summary>Reads full subtrees of a stored tree, each tile once: use the result for all proofs of one response.</summary>
    public static FullSubtree Of(LogReader reader, Tree tree)
    {
        var tiles = new Dictionary<(int Level, long Index), Digest[]>();
        return (level, index) =>
        {
            var (tileLevel, inner) = (level / TileFrontier.Height, level % TileFrontier.Height);
            var first = index << inner;
            var tile = (tileLevel, first / TileFrontier.Width);
            if (!tiles.TryGetValue(tile, out var nodes))
            {
                tiles.Add(tile, nodes = Load(reader, tree, tile));
            }

            return nodes[(TileFrontier.Width + (int)(first % TileFrontier.Width)) >> inner];
        };
    }

    /// <summary>Computes all nodes of a tile as a heap: node 1 is the tile's root, nodes 16 to 31 its hashes. Nodes above missing hashes
    /// stay empty.</summary>
    private static Digest[] Load(LogReader reader, Tree tree, (int Level, long Index) tile)
    {
        if (reader.Tiles.Find(tree, tile.Level, tile.Index) is { } kept)
        {
            return kept;
        }

        var bytes = reader.FindTile(tree, tile.Level, tile.Index) ?? throw new InvalidDataException(
            $"Tile {tile.Level}/{tile.Index} of the {tree} tree is missing: the log's file is damaged; log fsck shows where.");
        var (nodes, count) = (new Digest[2 * TileFrontier.Width], bytes.Length / Digest.Size);
        for (var i = 0; i < count; i++)
        {
            nodes[TileFrontier.Width + i] = new Digest(bytes.AsSpan(i * Digest.Size, Digest.Size));
        }

        for (var (width, full) = (TileFrontier.Width / 2, count / 2); full > 0; width /= 2, full /= 2)
        {
            for (var i = width; i < width + full; i++)
            {
                nodes[i] = MerkleHash.Node(nodes[2 * i], nodes[(2 * i) + 1]);
            }
        }

        if (count is TileFrontier.Width)
        {
            reader.Tiles.Keep(tree, tile.Level, tile.Index, nodes);
        }

        return nodes;
    }

    /// <summary>Caches full tiles from the third level on, each over at least 4,096 leaves: they never change, and most proofs use them. At
    /// most 0.6 MB, shared by all connections.</summary>
    internal sealed class Cache
    {
        private const int KeptFrom = 2;

        private readonly Kept?[] _kept = new Kept?[512];

        public Digest[]? Find(Tree tree, int level, long index) =>
            Volatile.Read(ref _kept[Slot(tree, level, index)]) is { } kept && kept.Tree == tree && kept.Level == level
                && kept.Index == index ? kept.Nodes : null;

        public void Keep(Tree tree, int level, long index, Digest[] nodes)
        {
            if (level >= KeptFrom)
            {
                Volatile.Write(ref _kept[Slot(tree, level, index)], new Kept(tree, level, index, nodes));
            }
        }

        private int Slot(Tree tree, int level, long index) =>
            (int)((index + (_kept.Length / 2 * level) + (_kept.Length / 4 * (int)tree)) % _kept.Length);

        private sealed record Kept(Tree Tree, int Level, long Index, Digest[] Nodes);
    }
}
