using TrustixProxy.Testing;

namespace TrustixProxy.TransparencyLog.Tests;

/// <summary>Inclusion and consistency proofs of a running reference daemon, and tampered ones.</summary>
public sealed class ProofVectorTests
{
    [Theory]
    [InlineData("audit", "proofs", 39)]
    [InlineData("audit", "tampered", 30)]
    [InlineData("maphead", "audit", 5)]
    public void Inclusion_proofs_are_judged_as_recorded(string file, string member, int count)
    {
        var vectors = Vectors.Load(file).All(member).ToList();
        Assert.Equal(count, vectors.Count);
        foreach (var vector in vectors)
        {
            var good = vector.Nodes("proof") is { } proof
                && InclusionProof.TryVerify(
                    vector.Number("index"), vector.Number("tree_size"), vector.Digest("leaf_digest"), proof, vector.Digest("root"), out _);

            Assert.True(vector.Valid() == good, vector.Note());
        }
    }

    [Theory]
    [InlineData("consistency", "proofs", 37)]
    [InlineData("consistency", "tampered", 79)]
    [InlineData("maphead", "consistency", 9)]
    public void Consistency_proofs_are_judged_as_recorded(string file, string member, int count)
    {
        var vectors = Vectors.Load(file).All(member).ToList();
        Assert.Equal(count, vectors.Count);
        foreach (var vector in vectors)
        {
            var good = vector.Nodes("proof") is { } proof
                && ConsistencyProof.TryVerify(vector.Number("first"), vector.Number("second"), vector.Digest("first_root"),
                    vector.Digest("second_root"), proof, out _);

            Assert.True(vector.Valid() == good, vector.Note());
        }
    }

    [Fact]
    public void Proofs_and_roots_are_made_as_the_daemon_makes_them()
    {
        var subtrees = new Dictionary<(int, long), Digest>();
        foreach (var leaf in Vectors.Load("audit").All("leaves"))
        {
            var hash = MerkleHash.LogLeaf(leaf.Hex("key"), Digest.Of(leaf.Hex("value")));
            Assert.Equal(leaf.Digest("leaf_digest"), hash);
            MerkleTree.Append(leaf.Number("index"), hash, (level, index) => subtrees[(level, index)], (level, index, node) =>
                subtrees.Add((level, index), node));
        }

        foreach (var vector in Vectors.Load("consistency").All("roots"))
        {
            Assert.Equal(vector.Digest("root"), MerkleTree.Root(vector.Number("size"), Read));
        }

        foreach (var vector in Vectors.Load("audit").All("proofs"))
        {
            Assert.Equal(vector.Nodes("proof"), MerkleTree.InclusionProof(vector.Number("index"), vector.Number("tree_size"), Read));
        }

        foreach (var vector in Vectors.Load("consistency").All("proofs"))
        {
            Assert.Equal(vector.Nodes("proof"), MerkleTree.ConsistencyProof(vector.Number("first"), vector.Number("second"), Read));
        }

        Digest Read(int level, long index) => subtrees[(level, index)];
    }

    [Fact]
    public void Each_leaf_of_the_map_head_log_is_a_map_root()
    {
        foreach (var vector in Vectors.Load("maphead").All("generations"))
        {
            Assert.Equal(vector.Digest("leaf_digest"), MerkleHash.MapHeadLeaf(vector.Digest("map_root")));
        }
    }

    [Fact]
    public void Sizes_and_indices_that_contradict_each_other_are_refused_and_never_thrown_at()
    {
        long[] numbers = [long.MinValue, -1, 0, 1, 2, 3, 1L << 40, long.MaxValue];
        foreach (var a in numbers)
        {
            foreach (var b in numbers)
            {
                Assert.Equal(a == b && a >= 1, ConsistencyProof.TryVerify(a, b, default, default, [], out _));
                Assert.False(InclusionProof.TryVerify(a, b, default, new Digest[3], default, out _));
            }
        }
    }
}
