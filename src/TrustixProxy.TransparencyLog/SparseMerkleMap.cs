namespace TrustixProxy.TransparencyLog;

/// <summary>The map of a log: finds, proves and inserts leaves. It keeps nothing itself: pages are read through a function, and changed ones are handed out by <see cref="Commit"/>.</summary>
/// <param name="load">Gives a page of the version that is read, or null when that version has no such page. What it gives is never changed.</param>
public sealed class SparseMerkleMap(Func<MapPageAddress, MapPage?> load)
{
    private readonly Dictionary<MapPageAddress, MapPage> _changed = [];

    /// <summary>The leaf of <paramref name="path"/>; false when there is none.</summary>
    public bool TryFind(Digest path, out MapLeaf leaf)
    {
        for (var depth = 0; Load(MapPageAddress.On(path, depth)) is { } page; depth += MapPageAddress.Levels)
        {
            var slot = MapPage.SlotOf(path, depth);
            if (page.KindOf(slot) is not MapPage.Kind.Inner)
            {
                leaf = page.KindOf(slot) is MapPage.Kind.Leaf ? page.LeafOf(slot) : default;
                return leaf.Path == path && page.KindOf(slot) is MapPage.Kind.Leaf;
            }
        }

        leaf = default;
        return false;
    }

    /// <summary>The proof that <paramref name="path"/> has the leaf that it has, or that it has none.</summary>
    /// <param name="path">SHA-256 of the key.</param>
    /// <param name="leaf">The leaf; null when the proof is one of absence.</param>
    public MapProof Prove(Digest path, out MapLeaf? leaf)
    {
        var sideNodes = new List<Digest>();
        var end = Walk(path, sideNodes);
        sideNodes.Reverse();
        leaf = end is { } found && found.Path == path ? found : null;
        return new MapProof([.. sideNodes], leaf is null && end is { } other ? (other.Path, other.ValueHash) : null);
    }

    /// <summary>Adds a leaf whose path has none yet.</summary>
    /// <exception cref="ArgumentException">The path has a leaf: the map is insert-only.</exception>
    public void Insert(MapLeaf leaf)
    {
        for (var depth = 0; ; depth += MapPageAddress.Levels)
        {
            var page = Change(MapPageAddress.On(leaf.Path, depth));
            var index = MapPage.SlotOf(leaf.Path, depth);
            if (page.KindOf(index) is MapPage.Kind.Empty)
            {
                page.Set(index, leaf);
                return;
            }

            if (page.KindOf(index) is MapPage.Kind.Leaf)
            {
                var other = page.LeafOf(index);
                if (other.Path == leaf.Path)
                {
                    throw new ArgumentException($"the path {leaf.Path} has a leaf already", nameof(leaf));
                }

                var below = depth + MapPageAddress.Levels;
                Change(MapPageAddress.On(leaf.Path, below)).Set(MapPage.SlotOf(other.Path, below), other);
                page.Set(index, default(Digest)); // its hash follows in Commit
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
                _changed[address.Parent].Set(MapPage.SlotOf(address.Prefix, address.Parent.Depth), page.RootHash());
            }
        }

        return Load(default)?.RootHash() ?? default;
    }

    /// <summary>Goes down to where the path ends: a leaf, the path's or another's, or an empty subtree (null). Side nodes are collected from the root down.</summary>
    private MapLeaf? Walk(Digest path, List<Digest> sideNodes)
    {
        Span<MapPage.Node> nodes = stackalloc MapPage.Node[2 * MapPage.Slots];
        for (var depth = 0; Load(MapPageAddress.On(path, depth)) is { } page; depth += MapPageAddress.Levels)
        {
            page.WriteNodes(nodes);
            var (at, level) = (1, depth);
            while (at < MapPage.Slots && nodes[at].Kind is MapPage.Kind.Inner)
            {
                at = (2 * at) + (path.Bit(level++) ? 1 : 0);
                sideNodes.Add(nodes[at ^ 1].Hash);
            }

            if (nodes[at].Kind is not MapPage.Kind.Inner)
            {
                return nodes[at].Kind is MapPage.Kind.Leaf ? page.LeafOf(nodes[at].Slot) : null;
            }
        }

        return null;
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
