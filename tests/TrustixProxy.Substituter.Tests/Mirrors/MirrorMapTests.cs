using System.Security.Cryptography;
using TrustixProxy.Substituter.Mirrors;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Tests.Mirrors;

/// <summary>The mirror's map has the root and the proofs of the map that holds the same leaves, however it came to hold them.</summary>
public sealed class MirrorMapTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(1, 1)]
    [InlineData(0, 2, 30)]
    [InlineData(300, 1, 1, 100)]
    [InlineData(6000, 500, 5000, 3)]
    public void Root_and_proofs_are_those_of_the_whole_map_whatever_the_steps(params int[] steps)
    {
        using var folder = new TestFolder();
        using var store = new MirrorStore(Path.Combine(folder.Path, "mirror.sqlite"));
        store.Index();
        var (leaves, pages, top) = (new List<MirrorLeaf>(), new Dictionary<long, MapPage>(), 0L);
        foreach (var step in steps)
        {
            var from = leaves.Count;
            leaves.AddRange(Enumerable.Range(from, step).Select(Leaf));
            var map = new SparseMerkleMap(number => pages[number], top);
            for (var i = from; i < leaves.Count; i++)
            {
                map.Insert(MapLeafOf(leaves, i));
            }

            var expected = map.Commit(pages.Count + 1, out var changed, out _);
            foreach (var (number, page) in changed)
            {
                pages.Add(number, page);
                top = number;
            }

            Assert.True(store.Write(() =>
            {
                Add(store, leaves, from);
                return MirrorMap.Extend(store, from, leaves.Count, (_, _) => Assert.Fail("No key stands twice.")) == expected;
            }));
        }

        var reference = new SparseMerkleMap(number => pages[number], top);
        foreach (var path in leaves.Take(50).Select(leaf => leaf.Path).Concat(Enumerable.Range(0, 50).Select(_ => new Digest(RandomNumberGenerator.GetBytes(32)))))
        {
            var mine = store.Read(reader => MirrorMap.Prove(reader, leaves.Count, path, out _).ToMessage());
            Assert.Equal(reference.Prove(path, out _).ToMessage(), mine);
        }
    }

    [Fact]
    public void A_key_that_stands_twice_keeps_its_first_entry_and_is_told_of()
    {
        using var folder = new TestFolder();
        using var store = new MirrorStore(Path.Combine(folder.Path, "mirror.sqlite"));
        store.Index();
        var leaves = Enumerable.Range(0, 10).Select(Leaf).ToList();
        leaves.Add(leaves[4] with { ValueDigest = Digest.Of([1]) });
        var again = new List<(long, long)>();

        var root = Extend(store, leaves, 0, again);
        leaves.Add(leaves[4] with { ValueDigest = Digest.Of([2]) });
        var later = Extend(store, leaves, 11, again);

        Assert.Equal([(10, 4), (11, 4)], again);
        Assert.Equal(root, later);
        Assert.Equal(4, store.Read(reader =>
        {
            MirrorMap.Prove(reader, 12, leaves[4].Path, out var leaf);
            return leaf!.Value.Index;
        }));
    }

    [Fact]
    public void A_store_path_is_found_by_its_digest_from_the_first_entry_on_that_has_it()
    {
        using var folder = new TestFolder();
        using var store = new MirrorStore(Path.Combine(folder.Path, "mirror.sqlite"));
        store.Index();
        var (digest, none) = (TestOutput.PathOf("some").Digest, TestOutput.PathOf("none").Digest);
        var leaves = Enumerable.Range(0, 10).Select(i => Leaf(i) with { StorePath = i is 4 or 6 ? digest : i % 2 is 0 ? null : TestOutput.PathOf($"{i}").Digest }).ToList();
        Extend(store, leaves, 0, []);

        Assert.Equal([null, leaves[4].Path, leaves[4].Path], new[] { 4, 5, 10 }.Select(size => store.Read(reader => reader.FindPathOf(digest, size))));
        Assert.Null(store.Read(reader => reader.FindPathOf(none, 10)));
    }

    private static Digest Extend(MirrorStore store, List<MirrorLeaf> leaves, int from, List<(long, long)> again)
    {
        var root = default(Digest);
        store.Write(() =>
        {
            Add(store, leaves, from);
            root = MirrorMap.Extend(store, from, leaves.Count, (number, first) => again.Add((number, first)));
            return true;
        });
        return root;
    }

    private static void Add(MirrorStore store, List<MirrorLeaf> leaves, int from)
    {
        for (var i = from; i < leaves.Count; i++)
        {
            store.AddLeaf(i, leaves[i]);
        }
    }

    private static MirrorLeaf Leaf(int i) => new(new Digest(RandomNumberGenerator.GetBytes(32)), Digest.Of(BitConverter.GetBytes(i)), Digest.Of(BitConverter.GetBytes(-i)), null);

    private static MapLeaf MapLeafOf(List<MirrorLeaf> leaves, int i) => new(leaves[i].Path, Digest.Of(new MapEntry(leaves[i].ValueDigest, i).ToBytes()), i);
}
