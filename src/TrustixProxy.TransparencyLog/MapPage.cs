using System.Buffers.Binary;
using System.Numerics;

namespace TrustixProxy.TransparencyLog;

/// <summary>An entry's leaf in the map.</summary>
/// <param name="Path">SHA-256 of the key.</param>
/// <param name="ValueHash">SHA-256 of the entry's bytes.</param>
/// <param name="Index">Index of the log's leaf with key and value digest; stored with the leaf, not hashed.</param>
public readonly record struct MapLeaf(Digest Path, Digest ValueHash, long Index);

/// <summary>Four levels of the map: 16 slots, each empty, a single leaf, or a page further down. Stored pages never change: a changed page
/// is stored under another number.</summary>
/// <remarks>
/// As bytes: two masks of 16 bits, little-endian, of the slots that hold leaves and of those that hold pages; then what they hold, in the
/// order of the slots.
/// A leaf: path, value hash, index (8 bytes, little-endian). A page: the hash of its root, and the number under which it is stored (8
/// bytes, little-endian).
/// </remarks>
public sealed class MapPage
{
    /// <summary>Number of map levels per page.</summary>
    internal const int Levels = 4;

    /// <summary>Number of slots per page.</summary>
    internal const int Slots = 1 << Levels;

    private const int MasksSize = 4, LeafSize = (2 * Digest.Size) + 8, InnerSize = Digest.Size + 8;

    private byte[] _bytes;
    private MapPage?[]? _drafts;

    private MapPage(byte[] bytes) => _bytes = bytes;

    internal enum Kind : byte
    {
        Empty,
        Leaf,
        Inner,
    }

    /// <summary>Whether every slot holds a page, as near the root, where most paths pass.</summary>
    public bool IsFullOfPages => Inner is ushort.MaxValue;

    private ushort Leaves => BinaryPrimitives.ReadUInt16LittleEndian(_bytes);

    private ushort Inner => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(2));

    /// <summary>Decodes a page, and takes ownership of the bytes.</summary>
    /// <exception cref="ArgumentException">The bytes are not a page: the store is damaged.</exception>
    public static MapPage Of(byte[] bytes)
    {
        var page = new MapPage(bytes);
        return bytes.Length >= MasksSize && (page.Leaves & page.Inner) is 0 && bytes.Length == page.Offset(Slots)
            ? page
            : throw new ArgumentException("the bytes are not a page of the map", nameof(bytes));
    }

    /// <summary>Returns the page's bytes, which must not be changed.</summary>
    public byte[] ToBytes() => _bytes;

    /// <summary>Copies the page for changes.</summary>
    internal MapPage Draft() => new([.. _bytes]);

    internal static MapPage NewDraft() => new(new byte[MasksSize]);

    internal Kind KindOf(int slot) => (Leaves >> slot & 1) is not 0 ? Kind.Leaf : (Inner >> slot & 1) is not 0 ? Kind.Inner : Kind.Empty;

    internal MapLeaf LeafOf(int slot)
    {
        var bytes = _bytes.AsSpan(Offset(slot), LeafSize);
        return new MapLeaf(new Digest(bytes[..32]), new Digest(bytes[32..64]), BinaryPrimitives.ReadInt64LittleEndian(bytes[64..]));
    }

    /// <summary>Returns the number of the page in a slot.</summary>
    internal long NumberOf(int slot) => BinaryPrimitives.ReadInt64LittleEndian(_bytes.AsSpan(Offset(slot) + Digest.Size));

    /// <summary>Returns the unnumbered changed page in a slot; null when there is none.</summary>
    internal MapPage? DraftOf(int slot) => _drafts?[slot];

    /// <summary>Puts a leaf into an empty slot.</summary>
    internal void Set(int slot, MapLeaf leaf)
    {
        var bytes = Resize(slot, 0, LeafSize);
        leaf.Path.CopyTo(bytes);
        leaf.ValueHash.CopyTo(bytes[32..]);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[64..], leaf.Index);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes, (ushort)(Leaves | 1 << slot));
    }

    /// <summary>Puts a changed page into a slot. It replaces the leaf that it now holds, or its earlier version.</summary>
    internal void Set(int slot, MapPage draft)
    {
        if (KindOf(slot) is Kind.Leaf)
        {
            Resize(slot, LeafSize, InnerSize);
            BinaryPrimitives.WriteUInt16LittleEndian(_bytes, (ushort)(Leaves & ~(1 << slot)));
            BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(2), (ushort)(Inner | 1 << slot));
        }

        (_drafts ??= new MapPage?[Slots])[slot] = draft;
    }

    /// <summary>Numbers the changed pages bottom-up, this one last.</summary>
    /// <returns>The hash of the page's root.</returns>
    internal Digest Number(long first, List<KeyValuePair<long, MapPage>> numbered)
    {
        for (var slot = 0; slot < Slots; slot++)
        {
            if (_drafts?[slot] is { } draft)
            {
                var hash = draft.Number(first, numbered);
                var bytes = _bytes.AsSpan(Offset(slot), InnerSize);
                hash.CopyTo(bytes);
                BinaryPrimitives.WriteInt64LittleEndian(bytes[Digest.Size..], numbered[^1].Key);
            }
        }

        _drafts = null;
        numbered.Add(new(first + numbered.Count, this));
        return RootHash();
    }

    /// <summary>Returns the slot on the way to <paramref name="path"/> in a page of this depth.</summary>
    internal static int SlotOf(Digest path, int depth) => depth % 8 is 0 ? path[depth / 8] >> 4 : path[depth / 8] & 15;

    /// <summary>Computes all 31 nodes of the page as a heap: node 1 is the page's root, nodes 16 to 31 its slots.</summary>
    /// <param name="nodes">Room for 32.</param>
    internal void WriteNodes(Span<Node> nodes)
    {
        var rest = _bytes.AsSpan(MasksSize);
        for (var i = 0; i < Slots; i++)
        {
            var kind = KindOf(i);
            nodes[Slots + i] = new Node(kind, i, kind switch
            {
                Kind.Leaf => MerkleHash.MapLeaf(new Digest(rest[..32]), new Digest(rest[32..64])),
                Kind.Inner => new Digest(rest[..32]),
                _ => default,
            });
            rest = rest[SizeOf(kind)..];
        }

        for (var i = Slots - 1; i > 0; i--)
        {
            nodes[i] = Join(nodes[2 * i], nodes[(2 * i) + 1]);
        }
    }

    /// <summary>Computes the hash of the page's root.</summary>
    internal Digest RootHash()
    {
        Span<Node> nodes = stackalloc Node[2 * Slots];
        WriteNodes(nodes);
        return nodes[1].Hash;
    }

    /// <summary>Returns the offset of a slot's bytes, present or not.</summary>
    private int Offset(int slot)
    {
        var before = (1u << slot) - 1;
        return MasksSize + (LeafSize * BitOperations.PopCount(Leaves & before)) + (InnerSize * BitOperations.PopCount(Inner & before));
    }

    /// <summary>Makes room for a slot's new content.</summary>
    private Span<byte> Resize(int slot, int from, int to)
    {
        var (old, offset) = (_bytes, Offset(slot));
        _bytes = new byte[old.Length - from + to];
        old.AsSpan(0, offset).CopyTo(_bytes);
        old.AsSpan(offset + from).CopyTo(_bytes.AsSpan(offset + to));
        return _bytes.AsSpan(offset, to);
    }

    private static int SizeOf(Kind kind) => kind switch { Kind.Leaf => LeafSize, Kind.Inner => InnerSize, _ => 0 };

    /// <summary>Joins two halves: a subtree with one leaf is that leaf; a larger one is a node, with the placeholder for an empty
    /// half.</summary>
    private static Node Join(in Node left, in Node right) => (left.Kind, right.Kind) switch
    {
        (Kind.Empty, Kind.Empty or Kind.Leaf) => right,
        (Kind.Leaf, Kind.Empty) => left,
        _ => new Node(Kind.Inner, -1, MerkleHash.Node(left.Hash, right.Hash)),
    };

    /// <summary>A node of the page: its kind, for a leaf the slot that it is in, and its hash (the placeholder when empty).</summary>
    internal readonly record struct Node(Kind Kind, int Slot, Digest Hash);
}
