using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Reads a stored tile; null if it is missing.</summary>
internal delegate byte[]? LoadTile(int level, long index);

/// <summary>The right edge of a tree: the partial tile of each level. It suffices to append and to compute the root.</summary>
/// <remarks>A tile holds 16 hashes: leaves on level 0, and on each level above the roots of full tiles below. (C2SP tlog-tiles has 256:
/// right for files, too many to hash for one proof.)</remarks>
internal sealed class TileFrontier
{
    /// <summary>Number of tree levels per level of tiles.</summary>
    public const int Height = 4;

    /// <summary>Number of hashes in a full tile.</summary>
    public const int Width = 1 << Height;

    private readonly List<List<Digest>> _partial = [];
    private readonly Dictionary<(int Level, long Index), byte[]> _full = [];
    private readonly HashSet<int> _touched = [];

    /// <param name="size">Number of leaves.</param>
    /// <param name="load">Reads a stored tile.</param>
    public TileFrontier(long size, LoadTile load)
    {
        Size = size;
        for (var (level, count) = (0, size); count > 0; level++, count /= Width)
        {
            var inTile = (int)(count % Width);
            var bytes = inTile is 0 ? [] : load(level, count / Width)
                ?? throw new InvalidDataException($"Tile {level}/{count / Width} is missing: the log's file is damaged.");
            _partial.Add([.. bytes.Take(inTile * Digest.Size).Chunk(Digest.Size).Select(hash => new Digest(hash))]);
        }
    }

    /// <summary>Number of leaves.</summary>
    public long Size { get; private set; }

    /// <summary>Computes the root of all leaves.</summary>
    public Digest Root() => MerkleTree.Root(Size, Read);

    public void Append(Digest leaf)
    {
        var index = Size++;
        for (var level = 0; ; level++)
        {
            if (level == _partial.Count)
            {
                _partial.Add([]);
            }

            var tile = _partial[level];
            tile.Add(leaf);
            _touched.Add(level);
            if (tile.Count < Width)
            {
                return;
            }

            leaf = MerkleTree.RootOf([.. tile]);
            _full[(level, index / Width)] = Bytes(tile);
            tile.Clear();
            index /= Width;
        }
    }

    /// <summary>Returns the tiles changed since the last call, to be stored.</summary>
    public IEnumerable<((int Level, long Index) Tile, byte[] Hashes)> TakeChanges()
    {
        var changes = _full.Select(entry => (entry.Key, entry.Value)).ToList();
        changes.AddRange(_touched.Where(level => _partial[level].Count > 0)
            .Select(level => ((level, Size >> (Height * (level + 1))), Bytes(_partial[level]))));
        _full.Clear();
        _touched.Clear();
        return changes;
    }

    /// <summary>Returns the root of a full subtree at the right edge, inside a partial tile.</summary>
    private Digest Read(int level, long index)
    {
        var (tileLevel, inner) = (level / Height, level % Height);
        var first = (int)((index << inner) % Width);
        return MerkleTree.RootOf(_partial[tileLevel].GetRange(first, 1 << inner).ToArray());
    }

    private static byte[] Bytes(List<Digest> hashes)
    {
        var bytes = new byte[hashes.Count * Digest.Size];
        for (var i = 0; i < hashes.Count; i++)
        {
            hashes[i].CopyTo(bytes.AsSpan(i * Digest.Size));
        }

        return bytes;
    }
}
