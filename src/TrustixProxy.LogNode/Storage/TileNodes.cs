using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Inner nodes of tiles, which are not stored but hashed when they are needed.</summary>
internal static class TileNodes
{
    /// <summary>The root over a power of two of hashes.</summary>
    public static Digest RootOf(ReadOnlySpan<Digest> hashes) => hashes.Length is 1
        ? hashes[0]
        : MerkleHash.Node(RootOf(hashes[..(hashes.Length / 2)]), RootOf(hashes[(hashes.Length / 2)..]));

    /// <summary>Reads full subtrees of a stored tree; each tile once, so use the result for all proofs of one answer.</summary>
    public static FullSubtree Of(LogReader reader, Tree tree)
    {
        var tiles = new Dictionary<(int Level, long Index), Digest[]>();
        return (level, index) =>
        {
            var (tileLevel, inner) = (level / TileFrontier.Height, level % TileFrontier.Height);
            var first = index << inner;
            var tile = (tileLevel, first / TileFrontier.Width);
            if (!tiles.TryGetValue(tile, out var hashes))
            {
                tiles.Add(tile, hashes = Load(reader, tree, tile));
            }

            return RootOf(hashes.AsSpan((int)(first % TileFrontier.Width), 1 << inner));
        };
    }

    private static Digest[] Load(LogReader reader, Tree tree, (int Level, long Index) tile)
    {
        var bytes = reader.FindTile(tree, tile.Level, tile.Index) ?? throw new InvalidDataException($"Tile {tile.Level}/{tile.Index} of the {tree} tree is missing: the log's file is damaged; log fsck says where.");
        return [.. bytes.Chunk(Digest.Size).Select(hash => new Digest(hash))];
    }
}
