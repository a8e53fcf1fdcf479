using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Inner nodes of tiles, which are not stored but hashed when they are needed.</summary>
internal static class TileNodes
{
    /// <summary>The root over a power of two of hashes.</summary>
    public static Digest RootOf(ReadOnlySpan<Digest> hashes) => hashes.Length is 1
        ? hashes[0]
        : MerkleHash.Node(RootOf(hashes[..(hashes.Length / 2)]), RootOf(hashes[(hashes.Length / 2)..]));

    /// <summary>Reads full subtrees of a stored tree.</summary>
    public static FullSubtree Of(LogReader reader, Tree tree) => (level, index) =>
    {
        var (tileLevel, inner) = (level / TileFrontier.Height, level % TileFrontier.Height);
        var first = index << inner;
        var bytes = reader.FindTile(tree, tileLevel, first / TileFrontier.Width)
            ?? throw new InvalidDataException($"Tile {tileLevel}/{first / TileFrontier.Width} is missing: the log's file is damaged.");
        var hashes = new Digest[1 << inner];
        for (var i = 0; i < hashes.Length; i++)
        {
            hashes[i] = new Digest(bytes.AsSpan((((int)(first % TileFrontier.Width)) + i) * Digest.Size, Digest.Size));
        }

        return RootOf(hashes);
    };
}
