using System.Security.Cryptography;
using TrustixProxy.Logs.Mirrors;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Tests.Mirrors;

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

            foreach (var (number, page) in map.Commit(pages.Count + 1))
            {
                pages.Add(number, page);
                top = number;
            }

            Assert.True(store.Write(() =>
            {
                Add(store, leaves, from);
                return MirrorMap.Extend(store, from, leaves.Count, CancellationToken.None).Root == map.RootHash();
            }));
        }

        var reference = new SparseMerkleMap(number => pages[number], top);
        foreach (var path in leaves.Take(50).Select(leaf => leaf.Path)
            .Concat(Enumerable.Range(0, 50).Select(_ => new Digest(RandomNumberGenerator.GetBytes(32)))))
        {
            var mine = store.Read(reader => MirrorMap.Prove(reader, leaves.Count, path, out _).ToMessage());
            Assert.Equal(reference.Prove(path, out _).ToMessage(), mine);
        }
    }

    /// <summary>Few paths, many of which share their first 64 bits or more, and some of which are repeated: what an adversary would
    /// choose.</summary>
    [Fact]
    public void Any_multiset_of_paths_takes_a_bounded_number_of_calls_and_a_repeated_path_is_found()
    {
        var random = new Random(17);
        for (var trial = 0; trial < 60; trial++)
        {
            using var folder = new TestFolder();
            using var store = new MirrorStore(Path.Combine(folder.Path, "mirror.sqlite"));
            store.Index();
            var shared = new[] { 0, 63, 64, 65, 128, 250, 255 }[random.Next(7)];
            var paths = Enumerable.Range(0, random.Next(1, 40)).Select(_ => PathWith(shared, random)).ToList();
            if (trial % 2 is 0)
            {
                paths.AddRange(Enumerable.Repeat(paths[0], random.Next(1, 30)));
            }

            var leaves = paths.Select((path, i) => Leaf(i) with { Path = path }).ToList();
            var (isRepeated, subtrees) = (paths.Distinct().Count() < paths.Count, 0L); // with 255 shared bits there are but two paths
            store.Write(() =>
            {
                Add(store, leaves, 0);
                Assert.Equal(isRepeated, store.Writer.FindRepeat(0, leaves.Count) is not null);
                if (isRepeated)
                {
                    Assert.Throws<InvalidDataException>(() => MirrorMap.Extend(store, 0, leaves.Count, CancellationToken.None));
                }
                else
                {
                    (var root, subtrees) = MirrorMap.Extend(store, 0, leaves.Count, CancellationToken.None);
                    Assert.Equal(RootOf(leaves), root);
                }

                return true;
            });
            Assert.InRange(subtrees, 0, 513 * leaves.Count);
        }
    }

    [Fact]
    public void A_repeated_path_is_found_among_the_new_entries_and_against_the_old_ones()
    {
        using var folder = new TestFolder();
        using var store = new MirrorStore(Path.Combine(folder.Path, "mirror.sqlite"));
        store.Index();
        var leaves = Enumerable.Range(0, 10).Select(Leaf).ToList();
        Extend(store, leaves, 0);
        leaves.Add(leaves[4] with { ValueDigest = Digest.Of([1]) });
        Add(store, leaves, 10);

        Assert.Null(store.Writer.FindRepeat(0, 10));
        Assert.Equal((10L, 4L), store.Writer.FindRepeat(10, 11));
        Assert.Equal((10L, 4L), store.Writer.FindRepeat(0, 11));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_repeated_path_is_found_among_many_entries(bool isRepeated)
    {
        using var folder = new TestFolder();
        using var store = new MirrorStore(Path.Combine(folder.Path, "mirror.sqlite"));
        store.Index();
        var leaves = Enumerable.Range(0, 10_100).Select(Leaf).ToList();
        var twin = leaves[17].Path.ToArray();
        twin[31] ^= 1; // the same beginning, but another path
        leaves[10_050] = leaves[10_050] with { Path = isRepeated ? leaves[17].Path : new Digest(twin) };
        store.Write(() =>
        {
            Add(store, leaves, 0);
            return true;
        });

        Assert.Equal(isRepeated ? (10_050L, 17L) : null, store.Writer.FindRepeat(0, leaves.Count));
    }

    [Fact]
    public void Hashing_ends_when_its_token_is_cancelled()
    {
        using var folder = new TestFolder();
        using var store = new MirrorStore(Path.Combine(folder.Path, "mirror.sqlite"));
        store.Index();

        Assert.Throws<OperationCanceledException>(() => store.Write(() =>
        {
            Add(store, [.. Enumerable.Range(0, 100).Select(Leaf)], 0);
            MirrorMap.Extend(store, 0, 100, new CancellationToken(canceled: true));
            return true;
        }));
        Assert.Equal(0, store.Writer.Size);
    }

    [Fact]
    public void A_store_path_is_found_by_its_digest_from_the_first_entry_on_that_has_it()
    {
        using var folder = new TestFolder();
        using var store = new MirrorStore(Path.Combine(folder.Path, "mirror.sqlite"));
        store.Index();
        var (digest, none) = (TestOutput.PathOf("some").Digest, TestOutput.PathOf("none").Digest);
        var leaves = Enumerable.Range(0, 10)
            .Select(i => Leaf(i) with { StorePath = i is 4 or 6 ? digest : i % 2 is 0 ? null : TestOutput.PathOf($"{i}").Digest }).ToList();
        Extend(store, leaves, 0);

        Assert.Equal([null, leaves[4].Path, leaves[4].Path],
            new[] { 4, 5, 10 }.Select(size => store.Read(reader => reader.FindPathOf(digest, size))));
        Assert.Null(store.Read(reader => reader.FindPathOf(none, 10)));
    }

    private static void Extend(MirrorStore store, List<MirrorLeaf> leaves, int from) => store.Write(() =>
    {
        Add(store, leaves, from);
        MirrorMap.Extend(store, from, leaves.Count, CancellationToken.None);
        return true;
    });

    private static Digest PathWith(int sharedBits, Random random)
    {
        var bytes = new byte[Digest.Size];
        random.NextBytes(bytes.AsSpan(sharedBits / 8));
        bytes[sharedBits / 8] &= (byte)(0xff >> (sharedBits % 8));
        return new Digest(bytes);
    }

    private static Digest RootOf(List<MirrorLeaf> leaves)
    {
        var map = new SparseMerkleMap(_ => throw new InvalidOperationException("It keeps no pages."), 0);
        for (var i = 0; i < leaves.Count; i++)
        {
            map.Insert(MapLeafOf(leaves, i));
        }

        return map.RootHash();
    }

    private static void Add(MirrorStore store, List<MirrorLeaf> leaves, int from)
    {
        for (var i = from; i < leaves.Count; i++)
        {
            store.AddLeaf(i, leaves[i]);
        }
    }

    private static MirrorLeaf Leaf(int i) =>
        new(new Digest(RandomNumberGenerator.GetBytes(32)), Digest.Of(BitConverter.GetBytes(i)), Digest.Of(BitConverter.GetBytes(-i)),
        null);

    private static MapLeaf MapLeafOf(List<MirrorLeaf> leaves, int i) =>
        new(leaves[i].Path, Digest.Of(new MapEntry(leaves[i].ValueDigest, i).ToBytes()), i);
}
