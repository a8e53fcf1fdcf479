using System.Buffers.Binary;

namespace TrustixProxy.TransparencyLog;

/// <summary>An entry's leaf in the map.</summary>
/// <param name="Path">SHA-256 of the key.</param>
/// <param name="ValueHash">SHA-256 of the entry's bytes.</param>
/// <param name="Index">Which leaf of the log holds key and value digest; kept beside the leaf, not hashed.</param>
public readonly record struct MapLeaf(Digest Path, Digest ValueHash, long Index);

/// <summary>Which page of the map: the subtree below the first <paramref name="Depth"/> bits of a path.</summary>
/// <param name="Prefix">Those bits; the rest is zero.</param>
/// <param name="Depth">A multiple of 4, from 0 to 252.</param>
public readonly record struct MapPageAddress(Digest Prefix, int Depth)
{
    /// <summary>How many levels of the map one page holds.</summary>
    public const int Levels = 4;

    /// <summary>The page of depth <paramref name="depth"/> on the way to <paramref name="path"/>.</summary>
    public static MapPageAddress On(Digest path, int depth)
    {
        Span<byte> prefix = stackalloc byte[Digest.Size];
        path.CopyTo(prefix);
        var whole = depth / 8;
        if (depth % 8 != 0)
        {
            prefix[whole++] &= 0xf0;
        }

        prefix[whole..].Clear();
        return new MapPageAddress(new Digest(prefix), depth);
    }

    /// <summary>The page that this one hangs below.</summary>
    public MapPageAddress Parent => On(Prefix, Depth - Levels);

    /// <summary>The address as bytes: the depth, then as many bytes of the prefix as it has bits.</summary>
    public byte[] ToBytes() => [(byte)Depth, .. Prefix.ToArray().AsSpan(0, (Depth + 7) / 8)];
}

/// <summary>Four levels of the map: 16 slots, each empty, a leaf that stands alone below it, or the root of a page further down.</summary>
public sealed class MapPage
{
    /// <summary>How many slots a page has.</summary>
    internal const int Slots = 1 << MapPageAddress.Levels;

    private const int LeafSize = 1 + (2 * Digest.Size) + 8, InnerSize = 1 + Digest.Size;

    private readonly Kind[] _kinds;
    private readonly Digest[] _hashes;
    private MapLeaf[]? _leaves; // none in most pages that are not at the bottom

    private MapPage(Kind[] kinds, Digest[] hashes, MapLeaf[]? leaves) => (_kinds, _hashes, _leaves) = (kinds, hashes, leaves);

    internal enum Kind : byte
    {
        Empty,
        Leaf,
        Inner,
    }

    internal static MapPage Empty => new(new Kind[Slots], new Digest[Slots], null);

    internal Kind KindOf(int slot) => _kinds[slot];

    internal MapLeaf LeafOf(int slot) => _leaves![slot];

    internal void Set(int slot, MapLeaf leaf)
    {
        _leaves ??= new MapLeaf[Slots];
        (_kinds[slot], _hashes[slot], _leaves[slot]) = (Kind.Leaf, MerkleHash.MapLeaf(leaf.Path, leaf.ValueHash), leaf);
    }

    internal void Set(int slot, Digest inner) => (_kinds[slot], _hashes[slot]) = (Kind.Inner, inner);

    internal MapPage Clone() => new([.. _kinds], [.. _hashes], _leaves is null ? null : [.. _leaves]);

    /// <summary>Which slot of a page of this depth is on the way to <paramref name="path"/>.</summary>
    internal static int SlotOf(Digest path, int depth) => depth % 8 is 0 ? path[depth / 8] >> 4 : path[depth / 8] & 15;

    /// <summary>All 31 nodes of the page, as a heap: node 1 is the page's root, nodes 16 to 31 its slots.</summary>
    /// <param name="nodes">Room for 32.</param>
    internal void WriteNodes(Span<Node> nodes)
    {
        for (var i = 0; i < Slots; i++)
        {
            nodes[Slots + i] = new Node(_kinds[i], i, _hashes[i]);
        }

        for (var i = Slots - 1; i > 0; i--)
        {
            nodes[i] = Join(nodes[2 * i], nodes[(2 * i) + 1]);
        }
    }

    /// <summary>The hash of the page's root.</summary>
    internal Digest RootHash()
    {
        Span<Node> nodes = stackalloc Node[2 * Slots];
        WriteNodes(nodes);
        return nodes[1].Hash;
    }

    /// <summary>The page as bytes; <see cref="Decode"/> reads them.</summary>
    public byte[] Encode()
    {
        var length = 0;
        foreach (var kind in _kinds)
        {
            length += kind switch { Kind.Leaf => LeafSize, Kind.Inner => InnerSize, _ => 0 };
        }

        var bytes = new byte[length];
        var rest = bytes.AsSpan();
        for (var i = 0; i < Slots; i++)
        {
            if (_kinds[i] is Kind.Empty)
            {
                continue;
            }

            rest[0] = (byte)(((int)_kinds[i] << 4) | i);
            if (_kinds[i] is Kind.Inner)
            {
                _hashes[i].CopyTo(rest[1..]);
                rest = rest[InnerSize..];
                continue;
            }

            var leaf = _leaves![i];
            leaf.Path.CopyTo(rest[1..]);
            leaf.ValueHash.CopyTo(rest[33..]);
            BinaryPrimitives.WriteInt64LittleEndian(rest[65..], leaf.Index);
            rest = rest[LeafSize..];
        }

        return bytes;
    }

    /// <summary>The page that <see cref="Encode"/> wrote.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The bytes are no page's: the store is damaged.</exception>
    public static MapPage Decode(ReadOnlySpan<byte> bytes)
    {
        var page = Empty;
        while (bytes.Length > 0)
        {
            var (kind, index) = ((Kind)(bytes[0] >> 4), bytes[0] & 15);
            if (kind is Kind.Inner)
            {
                page.Set(index, new Digest(bytes[1..33]));
            }
            else
            {
                page.Set(index, new MapLeaf(new Digest(bytes[1..33]), new Digest(bytes[33..65]), BinaryPrimitives.ReadInt64LittleEndian(bytes[65..])));
            }

            bytes = bytes[(kind is Kind.Inner ? InnerSize : LeafSize)..];
        }

        return page;
    }

    /// <summary>A subtree with one leaf is that leaf; anything larger is a node of its halves, the empty one as the placeholder.</summary>
    private static Node Join(in Node left, in Node right) => (left.Kind, right.Kind) switch
    {
        (Kind.Empty, Kind.Empty or Kind.Leaf) => right,
        (Kind.Leaf, Kind.Empty) => left,
        _ => new Node(Kind.Inner, -1, MerkleHash.Node(left.Hash, right.Hash)),
    };

    /// <summary>A node of the page: its kind, for a leaf the slot that it is in, and its hash (the placeholder when empty).</summary>
    internal readonly record struct Node(Kind Kind, int Slot, Digest Hash);
}
