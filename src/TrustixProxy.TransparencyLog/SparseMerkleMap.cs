using System.Collections.Immutable;

namespace TrustixProxy.TransparencyLog;

/// <summary>The map of a log: finds, proves and inserts leaves. It keeps nothing itself: pages are read through a function, and changed ones are handed out by <see cref="Commit"/>.</summary>
/// <param name="load">Gives a page of the version that is read, or null when that version has no such page. What it gives is never changed.</param>
public sealed class SparseMerkleMap(Func<MapPageAddress, MapPage?> load)
{
    private readonly Dictionary<MapPageAddress, MapPage> _changed = [];

    /// <summary>The leaf of <paramref name="path"/>; false when there is none.</summary>
    public bool TryFind(Digest path, out MapLeaf leaf)
    {
        leaf = Walk(path, sideNodes: null).Leaf;
        return leaf.Path == path;
    }

    /// <summary>The proof that <paramref name="path"/> has the leaf that it has, or that it has none.</summary>
    /// <param name="path">SHA-256 of the key.</param>
    /// <param name="leaf">The leaf; null when the proof is one of absence.</param>
    public MapProof Prove(Digest path, out MapLeaf? leaf)
    {
        var sideNodes = new List<Digest>();
        var end = Walk(path, sideNodes);
        sideNodes.Reverse();
        leaf = end.Kind is MapPage.Kind.Leaf && end.Leaf.Path == path ? end.Leaf : null;
        var other = end.Kind is MapPage.Kind.Leaf && leaf is null ? (end.Leaf.Path, end.Leaf.ValueHash) : ((Digest, Digest)?)null;
        return new MapProof(sideNodes.ToImmutableArray(), other);
    }

    /// <summary>Adds a leaf whose path has none yet.</summary>
    /// <exception cref="ArgumentException">The path has a leaf: the map is insert-only.</exception>
    public void Insert(MapLeaf leaf)
    {
        for (var depth = 0; ; depth += MapPageAddress.Levels)
        {
            var page = Change(MapPageAddress.On(leaf.Path, depth));
            var index = MapPage.SlotOf(leaf.Path, depth);
            var slot = page[index];
            if (slot.Kind is MapPage.Kind.Empty)
            {
                page[index] = MapPage.Slot.Of(leaf);
                return;
            }

            if (slot.Kind is MapPage.Kind.Leaf)
            {
                if (slot.Leaf.Path == leaf.Path)
                {
                    throw new ArgumentException($"the path {leaf.Path} has a leaf already", nameof(leaf));
                }

                var below = depth + MapPageAddress.Levels;
                Change(MapPageAddress.On(leaf.Path, below))[MapPage.SlotOf(slot.Leaf.Path, below)] = slot;
                page[index] = MapPage.Slot.OfInner(default); // its hash follows in Commit
            }
        }
    }

    /// <summary>Hashes what has changed, each page once, and gives the new root.</summary>
    /// <param name="changed">The pages to store.</param>
    public Digest Commit(out IReadOnlyDictionary<MapPageAddress, MapPage> changed)
    {
        changed = _changed;
        foreach (var (address, page) in _changed.OrderByDescending(entry => entry.Key.Depth))
        {
            if (address.Depth > 0)
            {
                var parent = _changed[address.Parent];
                parent[MapPage.SlotOf(address.Prefix, address.Parent.Depth)] = MapPage.Slot.OfInner(page.Nodes()[1].Hash);
            }
        }

        return Load(default) is { } root ? root.Nodes()[1].Hash : default;
    }

    /// <summary>Goes down to where the path ends: an empty subtree, or a leaf, the path's or another's. Side nodes are collected from the root down.</summary>
    private MapPage.Slot Walk(Digest path, List<Digest>? sideNodes)
    {
        for (var depth = 0; ; depth += MapPageAddress.Levels)
        {
            if (Load(MapPageAddress.On(path, depth)) is not { } page)
            {
                return default;
            }

            if (sideNodes is null && page[MapPage.SlotOf(path, depth)] is { Kind: not MapPage.Kind.Inner } slot)
            {
                return slot;
            }

            var end = sideNodes is null ? MapPage.Slot.OfInner(default) : WalkPage(page.Nodes(), path, depth, sideNodes);
            if (end.Kind is not MapPage.Kind.Inner)
            {
                return end;
            }
        }
    }

    private static MapPage.Slot WalkPage(MapPage.Slot[] nodes, Digest path, int depth, List<Digest> sideNodes)
    {
        var at = 1;
        while (at < MapPage.Slots && nodes[at].Kind is MapPage.Kind.Inner)
        {
            at = (2 * at) + (path.Bit(depth++) ? 1 : 0);
            sideNodes.Add(nodes[at ^ 1].Hash);
        }

        return nodes[at];
    }

    private MapPage? Load(MapPageAddress address) => _changed.TryGetValue(address, out var page) ? page : load(address);

    private MapPage Change(MapPageAddress address)
    {
        if (!_changed.TryGetValue(address, out var page))
        {
            page = load(address)?.Clone() ?? MapPage.Empty;
            _changed.Add(address, page);
        }

        return page;
    }
}
