namespace TrustixProxy.TransparencyLog;

/// <summary>Reads a stored page of a map by its number.</summary>
public delegate MapPage LoadPage(long number);

/// <summary>Reads a stored page of a map by its number; <paramref name="place"/> is its <see cref="MapPage.Place"/>.</summary>
public delegate MapPage LoadPageAt(long number, int place);

/// <summary>One version of a log's map: finds, proves and inserts leaves. It stores nothing itself: a function reads pages, and
/// <see cref="Commit"/> returns the changed pages, separate from the old ones.</summary>
/// <param name="load">Returns the page of a number, which never changes.</param>
/// <param name="root">Number of the page at the root, which identifies this version; 0 for the empty map.</param>
public sealed class SparseMerkleMap(LoadPageAt load, long root)
{
    private readonly List<long> _replaced = [];
    private MapPage? _draft;

    /// <inheritdoc cref="SparseMerkleMap(LoadPageAt, long)"/>
    public SparseMerkleMap(LoadPage load, long root)
        : this((number, _) => load(number), root)
    {
    }

    /// <summary>Finds the leaf of <paramref name="path"/>; false when there is none.</summary>
    public bool TryFind(Digest path, out MapLeaf leaf)
    {
        for (var (depth, page) = (0, Root()); page is not null; depth += MapPage.Levels)
        {
            var slot = MapPage.SlotOf(path, depth);
            if (page.KindOf(slot) is not MapPage.Kind.Inner)
            {
                leaf = page.KindOf(slot) is MapPage.Kind.Leaf ? page.LeafOf(slot) : default;
                return leaf.Path == path && page.KindOf(slot) is MapPage.Kind.Leaf;
            }

            page = Below(page, slot);
        }

        leaf = default;
        return false;
    }

    /// <summary>Proves the leaf of <paramref name="path"/>, or its absence.</summary>
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

    /// <summary>Inserts a leaf whose path has none yet.</summary>
    /// <exception cref="ArgumentException">The path already has a leaf: the map is insert-only.</exception>
    public void Insert(MapLeaf leaf)
    {
        var page = _draft ??= root is 0 ? MapPage.NewDraft(0) : Replace(root, 0);
        for (var depth = 0; ; depth += MapPage.Levels)
        {
            var slot = MapPage.SlotOf(leaf.Path, depth);
            switch (page.KindOf(slot))
            {
                case MapPage.Kind.Empty:
                    page.Set(slot, leaf);
                    return;
                case MapPage.Kind.Inner:
                    if (page.DraftOf(slot) is null)
                    {
                        page.Set(slot, Replace(page.NumberOf(slot), page.PlaceBelow(slot)));
                    }

                    break;
                default:
                    var (other, below) = (page.LeafOf(slot), MapPage.NewDraft(page.PlaceBelow(slot)));
                    if (other.Path == leaf.Path)
                    {
                        throw new ArgumentException($"the path {leaf.Path} has a leaf already", nameof(leaf));
                    }

                    below.Set(MapPage.SlotOf(other.Path, depth + MapPage.Levels), other);
                    page.Set(slot, below);
                    break;
            }

            page = page.DraftOf(slot)!;
        }
    }

    /// <summary>Numbers of the pages that this version's additions replaced.</summary>
    public IReadOnlyList<long> Replaced => _replaced;

    /// <summary>Hashes the additions, each page once. <see cref="Commit"/> does so, too, and another thread may help it in this
    /// way. Afterwards nothing may be inserted.</summary>
    public void Hash() => _draft?.HashBelow();

    /// <summary>Computes the root's hash. Afterwards nothing may be inserted.</summary>
    public Digest RootHash()
    {
        Hash();
        return Root()?.RootHash() ?? default;
    }

    /// <summary>Hashes and numbers the additions, one slot of the root after the other. Afterwards nothing may be inserted.</summary>
    /// <param name="first">The first unused page number.</param>
    /// <returns>The pages to store, with their numbers, from <paramref name="first"/> on; the last is the new root. None when nothing was
    /// inserted. To be read once.</returns>
    public IEnumerable<KeyValuePair<long, MapPage>> Commit(long first)
    {
        if (_draft is null)
        {
            yield break;
        }

        var (numbered, taken) = (new List<KeyValuePair<long, MapPage>>(), 0);
        for (var slot = 0; slot < MapPage.Slots; slot++)
        {
            _draft.HashBelow(slot);
            _draft.NumberBelow(slot, first, numbered);
            for (; taken < numbered.Count; taken++)
            {
                yield return numbered[taken];
            }
        }

        _draft.Close();
        yield return new(first + taken, _draft);
    }

    /// <summary>Descends to the end of the path: a leaf, the path's or another's, or an empty subtree (null). Collects side nodes from the
    /// root down.</summary>
    private MapLeaf? Walk(Digest path, List<Digest> sideNodes)
    {
        Span<MapPage.Node> nodes = stackalloc MapPage.Node[2 * MapPage.Slots];
        for (var (depth, page) = (0, Root()); page is not null; depth += MapPage.Levels)
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

            page = Below(page, at - MapPage.Slots);
        }

        return null;
    }

    private MapPage? Root() => _draft ?? (root is 0 ? null : load(root, 0));

    private MapPage Below(MapPage page, int slot) => page.DraftOf(slot) ?? load(page.NumberOf(slot), page.PlaceBelow(slot));

    private MapPage Replace(long number, int place)
    {
        _replaced.Add(number);
        return load(number, place).Draft();
    }
}
