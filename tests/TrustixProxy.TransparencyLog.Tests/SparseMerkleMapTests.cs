using FsCheck;
using FsCheck.Fluent;
using TrustixProxy.Testing;

namespace TrustixProxy.TransparencyLog.Tests;

public sealed class SparseMerkleMapTests
{
    private static readonly LogSigner Signer = new(new byte[32]);

    [Fact]
    public void Roots_are_those_of_the_definition_however_the_inserts_are_batched() =>
        Check.QuickThrowOnFailure(Prop.ForAll((int seed) =>
        {
            var random = new Random(seed);
            var (store, leaves) = (new Store(), new List<(Digest, Digest)>());
            for (var batch = 0; batch < 6; batch++)
            {
                var added = Enumerable.Range(0, random.Next(0, 40)).Select(_ => Leaf(random)).ToList();
                leaves.AddRange(added.Select(leaf => (leaf.Path, leaf.ValueHash)));
                if (store.Insert(added) != SlowReference.MapRoot(leaves))
                {
                    return false;
                }
            }

            return true;
        }));

    [Fact]
    public void Paths_that_share_long_beginnings_are_kept_apart() =>
        Check.QuickThrowOnFailure(Prop.ForAll((byte sharedBits, int seed) =>
        {
            var random = new Random(seed);
            var (first, path) = (Leaf(random), default(byte[]));
            path = first.Path.ToArray();
            path[sharedBits / 8] ^= (byte)(0x80 >> (sharedBits % 8)); // the same up to this bit
            var second = new MapLeaf(new Digest(path), Digest.Of([2]), 1);
            var third = Leaf(random);
            var store = new Store();
            store.Insert([first]);
            var root = store.Insert([second, third]);

            return root == SlowReference.MapRoot(
                [(first.Path, first.ValueHash), (second.Path, second.ValueHash), (third.Path, third.ValueHash)])
                && store.Map().TryFind(second.Path, out var found) && found == second
                && store.Map().Prove(second.Path, out _).SideNodes.Length > sharedBits;
        }));

    [Fact]
    public void Every_proof_that_is_made_is_verified_of_presence_and_of_absence()
    {
        var (store, keys) = (new Store(), Enumerable.Range(0, 200).Select(BitConverter.GetBytes).ToList());
        for (var count = 0; count <= keys.Count; count++)
        {
            var root = count is 0 ? default : store.Insert([LeafOf(keys[count - 1], count - 1)]);
            var head = Signer.Sign(new TreeHead(default, keys.Count, root, default, 1));
            foreach (var i in new[] { 0, count / 2, count - 1, count, count + 7 }.Where(i => i >= 0 && i < keys.Count).Distinct())
            {
                var proof = store.Map().Prove(Digest.Of(keys[i]), out var leaf);
                var value = leaf is null ? [] : Entry(i).ToBytes();

                Assert.Equal(i < count, leaf is not null);
                Assert.True(MapProof.TryRead(proof.ToMessage(), out var sent, out _));
                Assert.True(sent.TryVerify(head, keys[i], value, out var proven, out var error), error.ToString());
                Assert.Equal(i < count ? Entry(i) : null, proven.Entry);
            }
        }
    }

    [Fact]
    public void The_first_leaf_of_a_path_stays()
    {
        var store = new Store();
        var root = store.Insert([new MapLeaf(Digest.Of([1]), Digest.Of([2]), 0)]);

        Assert.Throws<ArgumentException>(() => store.Map().Insert(new MapLeaf(Digest.Of([1]), Digest.Of([3]), 1)));
        Assert.Equal(root, store.Insert([]));
    }

    [Fact]
    public void Earlier_versions_stay_as_they_were_beside_the_newest()
    {
        var (store, random, leaves) = (new Store(), new Random(3), new List<MapLeaf>());
        var versions = new List<(long Root, Digest Hash, int Leaves)>();
        for (var batch = 0; batch < 20; batch++)
        {
            var added = Enumerable.Range(0, 1 + random.Next(30)).Select(_ => Leaf(random)).ToList();
            leaves.AddRange(added);
            var hash = store.Insert(added);
            versions.Add((store.Root, hash, leaves.Count));
        }

        foreach (var (root, hash, count) in versions)
        {
            Assert.Equal(hash, store.Map(root).RootHash());
            Assert.All(leaves.Index(), leaf => Assert.Equal(leaf.Index < count, store.Map(root).TryFind(leaf.Item.Path, out _)));
        }
    }

    [Fact]
    public void The_newest_version_needs_no_page_that_was_replaced_and_all_others()
    {
        var (thin, full, random) = (new Store(), new Store(), new Random(4));
        var leaves = new List<MapLeaf>();
        for (var batch = 0; batch < 20; batch++)
        {
            var added = Enumerable.Range(0, 1 + random.Next(30)).Select(_ => Leaf(random)).ToList();
            leaves.AddRange(added);
            Assert.Equal(full.Insert(added), thin.Insert(added, dropReplaced: true));
        }

        Assert.All(leaves, leaf => Assert.True(thin.Map().TryFind(leaf.Path, out var found) && found == leaf));
        var fresh = new Store();
        fresh.Insert(leaves);
        Assert.Equal(fresh.Count, thin.Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData("000000")]
    [InlineData("00000000ff")]
    [InlineData("01000100")]
    [InlineData("01000000")]
    public void Bytes_of_another_form_are_no_page(string hex) =>
        Assert.Throws<ArgumentException>(() => MapPage.Of(Convert.FromHexString(hex)));

    [Fact]
    public void Proofs_are_made_as_the_reference_makes_them()
    {
        foreach (var generation in Vectors.Load("smt").All("proofs").GroupBy(vector => vector.Number("generation")))
        {
            var size = (int)generation.First().Number("map_size");
            var store = new Store();
            var leaves = Vectors.Load("audit").All("leaves").Take(size)
                .Select(leaf => (Key: leaf.Hex("key"), Entry: new MapEntry(leaf.Digest("value_digest"), leaf.Number("index")))).ToList();
            Assert.Equal(size, leaves.Count);
            var root = store.Insert(
                [.. leaves.Select(leaf => new MapLeaf(Digest.Of(leaf.Key), Digest.Of(leaf.Entry.ToBytes()), leaf.Entry.Index))]);

            foreach (var vector in generation)
            {
                Assert.Equal(vector.Digest("map_root"), root);
                var proof = store.Map().Prove(Digest.Of(vector.Hex("key")), out _).ToMessage();
                Assert.Equal(vector.GetProperty("proof").All("side_nodes").Select(node => node.GetString()),
                    proof.SideNodes.Select(node => Convert.ToHexStringLower(node.Span)));
                Assert.Equal(vector.GetProperty("proof").Text("bit_mask"), Convert.ToHexStringLower(proof.BitMask.Span));
            }
        }
    }

    [Fact]
    public void Pages_near_the_root_that_keep_their_nodes_give_the_same_roots_and_proofs()
    {
        var (store, kept, root) = (new Store(), new Dictionary<long, MapPage>(), 0L);
        foreach (var (first, size) in new[] { (0, 3000), (3000, 1), (3001, 2), (3003, 200), (3203, 1) })
        {
            var leaves = Enumerable.Range(first, size).Select(i => LeafOf(BitConverter.GetBytes(i), i)).ToList();
            var map = new SparseMerkleMap(Load, root);
            leaves.ForEach(map.Insert);

            var changed = map.Commit(root + 1).ToList();

            Assert.Equal(store.Insert(leaves), map.RootHash());
            root = changed[^1].Key;
            changed.ForEach(page => kept.Add(page.Key, page.Value));
            Assert.True(kept[root].IsNearRoot);
            foreach (var leaf in leaves.Take(20).Append(LeafOf([7], 0)))
            {
                var (mine, theirs) = (new SparseMerkleMap(Load, root).Prove(leaf.Path, out _), store.Map().Prove(leaf.Path, out _));
                Assert.Equal(theirs.ToMessage(), mine.ToMessage());
            }
        }

        // every second one is read anew, the others are the objects that were written
        MapPage Load(long number, int place) => number % 2 is 0 ? MapPage.Of([.. kept[number].ToBytes()], place) : kept[number];
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Threads_that_help_to_hash_give_the_same_pages(int helpers)
    {
        var (kept, root) = (new Dictionary<long, MapPage>(), 0L);
        foreach (var (first, size) in new[] { (0, 3000), (3000, 1), (3001, 500), (3501, 500) })
        {
            var leaves = Enumerable.Range(first, size).Select(i => LeafOf(BitConverter.GetBytes(i), i)).ToList();
            var (alone, helped) = (new SparseMerkleMap(number => kept[number], root), new SparseMerkleMap(number => kept[number], root));
            leaves.ForEach(alone.Insert);
            leaves.ForEach(helped.Insert);
            var threads = Enumerable.Range(0, helpers).Select(_ => new Thread(helped.Hash)).ToList();
            threads.ForEach(thread => thread.Start());
            var (expected, changed) = (alone.Commit(root + 1).ToList(), helped.Commit(root + 1).ToList());
            threads.ForEach(thread => thread.Join());

            Assert.Equal(alone.RootHash(), helped.RootHash());
            Assert.Equal(expected.Select(page => (page.Key, Convert.ToHexString(page.Value.ToBytes()))),
                changed.Select(page => (page.Key, Convert.ToHexString(page.Value.ToBytes()))));
            Assert.Equal(alone.Replaced, helped.Replaced);

            root = changed[^1].Key;
            changed.ForEach(page => kept.Add(page.Key, page.Value));
        }
    }

    private static MapLeaf Leaf(Random random)
    {
        var bytes = new byte[32];
        random.NextBytes(bytes);
        bytes[0] &= 3; // crowd the left
        return new MapLeaf(new Digest(bytes), Digest.Of(bytes), random.NextInt64(long.MaxValue));
    }

    private static MapEntry Entry(int i) => new(Digest.Of(BitConverter.GetBytes(-i)), i);

    private static MapLeaf LeafOf(byte[] key, int i) => new(Digest.Of(key), Digest.Of(Entry(i).ToBytes()), i);

    /// <summary>Pages as bytes, so that what is not among them is lost.</summary>
    private sealed class Store
    {
        private readonly Dictionary<long, byte[]> _pages = [];
        private long _root;

        /// <summary>How many pages there are, with those of earlier versions unless they were dropped.</summary>
        public int Count => _pages.Count;

        public long Root => _root;

        public SparseMerkleMap Map(long? root = null) => new(number => MapPage.Of(_pages[number]), root ?? _root);

        public Digest Insert(IEnumerable<MapLeaf> leaves, bool dropReplaced = false)
        {
            var map = Map();
            foreach (var leaf in leaves)
            {
                map.Insert(leaf);
            }

            foreach (var (number, page) in map.Commit(_root + 1))
            {
                _pages.Add(number, [.. page.ToBytes()]);
                _root = number;
            }

            Assert.All(dropReplaced ? map.Replaced : [], number => Assert.True(_pages.Remove(number)));
            return map.RootHash();
        }
    }
}
