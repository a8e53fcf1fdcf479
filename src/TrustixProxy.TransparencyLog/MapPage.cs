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
    /// <summary>Number of pages at the top of a large map: the root's, and the next three levels of pages.</summary>
    public const int TopPages = 1 + Slots + (Slots * Slots) + (Slots * Slots * Slots);

    /// <summary>Number of map levels per page.</summary>
    internal const int Levels = 4;

    /// <summary>Number of slots per page.</summary>
    internal const int Slots = 1 << Levels;

    private const int MasksSize = 4, LeafSize = (2 * Digest.Size) + 8, InnerSize = Digest.Size + 8;

    private byte[] _bytes;
    private MapPage?[]? _drafts;
    private Digest[]? _inner; // the nodes 1 to 15 of a page that is near the root
    private uint _changed; // slots whose hashes were replaced after that
    private uint _hashed; // slots of a draft whose changed pages were hashed
    private bool _isShared; // a draft's bytes are still those of the page that it was made from

    private MapPage(byte[] bytes, int place) => (_bytes, Place) = (bytes, place);

    internal enum Kind : byte
    {
        Empty,
        Leaf,
        Inner,
    }

    /// <summary>Where the page is at the top of the map, level by level from the left: 0 for the root's, less than
    /// <see cref="TopPages"/>. That number for all pages below.</summary>
    public int Place { get; }

    /// <summary>Whether every slot holds a page, and the page is at the top of the map: many paths pass through it. It keeps the nodes
    /// that it computes.</summary>
    public bool IsNearRoot => Inner is ushort.MaxValue && Place < TopPages;

    private ushort Leaves => BinaryPrimitives.ReadUInt16LittleEndian(_bytes);

    private ushort Inner => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(2));

    /// <summary>Decodes a page, and takes ownership of the bytes.</summary>
    /// <param name="bytes">The page.</param>
    /// <param name="place">The page's <see cref="Place"/>; not needed, but near the root it saves hashing.</param>
    /// <exception cref="ArgumentException">The bytes are not a page: the store is damaged.</exception>
    public static MapPage Of(byte[] bytes, int place = TopPages)
    {
        var page = new MapPage(bytes, place);
        return bytes.Length >= MasksSize && (page.Leaves & page.Inner) is 0 && bytes.Length == page.Offset(Slots)
            ? page
            : throw new ArgumentException("the bytes are not a page of the map", nameof(bytes));
    }

    /// <summary>Returns the page's bytes, which must not be changed.</summary>
    public byte[] ToBytes() => _bytes;

    /// <summary>Copies the page for changes; its bytes only once they change.</summary>
    internal MapPage Draft() => new(_bytes, Place) { _isShared = true, _inner = _inner is { } inner ? [.. inner] : null };

    internal static MapPage NewDraft(int place) => new(new byte[MasksSize], place);

    /// <summary>Returns the place of the page in a slot.</summary>
    internal int PlaceBelow(int slot) => Place < TopPages ? Math.Min((Slots * Place) + slot + 1, TopPages) : TopPages;

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
        // The draft's hash and number will be written into the bytes. Where it replaces a leaf, Resize copies them.
        (_bytes, _isShared) = (_isShared && KindOf(slot) is Kind.Inner ? [.. _bytes] : _bytes, false);
        if (KindOf(slot) is Kind.Leaf)
        {
            Resize(slot, LeafSize, InnerSize);
            BinaryPrimitives.WriteUInt16LittleEndian(_bytes, (ushort)(Leaves & ~(1 << slot)));
            BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(2), (ushort)(Inner | 1 << slot));
        }

        (_drafts ??= new MapPage?[Slots])[slot] = draft;
    }

    /// <summary>Hashes the changed pages in and below a slot, each page once. Several threads may do so at once.</summary>
    internal void HashBelow(int slot)
    {
        if (_drafts?[slot] is not { } draft)
        {
            return;
        }

        lock (draft)
        {
            if ((_hashed >> slot & 1) is 0)
            {
                draft.HashBelow();
                draft.RootHash().CopyTo(_bytes.AsSpan(Offset(slot), Digest.Size));
                Interlocked.Or(ref _changed, 1u << slot);
                Interlocked.Or(ref _hashed, 1u << slot);
            }
        }
    }

    /// <summary>Hashes the changed pages below this one.</summary>
    internal void HashBelow()
    {
        for (var slot = 0; slot < Slots; slot++)
        {
            HashBelow(slot);
        }
    }

    /// <summary>Numbers the changed pages in and below a slot, bottom-up. They must be hashed.</summary>
    internal void NumberBelow(int slot, long first, List<KeyValuePair<long, MapPage>> numbered)
    {
        if (_drafts?[slot] is { } draft)
        {
            for (var below = 0; below < Slots; below++)
            {
                draft.NumberBelow(below, first, numbered);
            }

            draft._drafts = null;
            BinaryPrimitives.WriteInt64LittleEndian(_bytes.AsSpan(Offset(slot) + Digest.Size), first + numbered.Count);
            numbered.Add(new(first + numbered.Count, draft));
        }
    }

    /// <summary>Makes the root's page, below which all is hashed and numbered, one that others may read.</summary>
    internal void Close()
    {
        RootHash(); // computes the nodes that it keeps
        _drafts = null;
    }

    /// <summary>Returns the slot on the way to <paramref name="path"/> in a page of this depth.</summary>
    internal static int SlotOf(Digest path, int depth) => depth % 8 is 0 ? path[depth / 8] >> 4 : path[depth / 8] & 15;

    /// <summary>Computes all 31 nodes of the page as a heap: node 1 is the page's root, nodes 16 to 31 its slots.</summary>
    /// <param name="nodes">Room for 32.</param>
    internal void WriteNodes(Span<Node> nodes)
    {
        if (IsNearRoot)
        {
            WriteInnerNodes(nodes);
            return;
        }

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
        if (IsNearRoot)
        {
            return InnerNodes()[1];
        }

        Span<Node> nodes = stackalloc Node[2 * Slots];
        WriteNodes(nodes);
        return nodes[1].Hash;
    }

    /// <summary>Does what <see cref="WriteNodes"/> does, for a page near the root.</summary>
    private void WriteInnerNodes(Span<Node> nodes)
    {
        var inner = InnerNodes();
        for (var i = 1; i < Slots; i++)
        {
            nodes[i] = new Node(Kind.Inner, -1, inner[i]);
            nodes[Slots + i] = new Node(Kind.Inner, i, HashOf(i));
        }

        nodes[Slots] = new Node(Kind.Inner, 0, HashOf(0));
    }

    /// <summary>Computes the nodes above the slots of a page near the root, or those above changed slots. Only a draft is ever changed, by
    /// one thread at a time.</summary>
    private Digest[] InnerNodes()
    {
        var (kept, changed) = (Volatile.Read(ref _inner), _changed);
        if (kept is not null && changed is 0)
        {
            return kept;
        }

        var (nodes, stale) = (kept ?? new Digest[Slots], kept is null ? uint.MaxValue : changed << Slots);
        for (var i = Slots - 1; i > 0; i--)
        {
            if ((stale >> (2 * i) & 3) is not 0)
            {
                nodes[i] = i >= Slots / 2 ? MerkleHash.Node(HashOf((2 * i) - Slots), HashOf((2 * i) + 1 - Slots))
                    : MerkleHash.Node(nodes[2 * i], nodes[(2 * i) + 1]);
                stale |= 1u << i;
            }
        }

        _changed = 0;
        Volatile.Write(ref _inner, nodes);
        return nodes;
    }

    /// <summary>Returns the hash in a slot of a page whose slots all hold pages.</summary>
    private Digest HashOf(int slot) => new(_bytes.AsSpan(MasksSize + (slot * InnerSize), Digest.Size));

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
        (_bytes, _isShared) = (new byte[old.Length - from + to], false);
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
