using FsCheck;
using FsCheck.Fluent;

namespace TrustixProxy.TransparencyLog.Tests;

public sealed class MerkleTreeTests
{
    private static readonly Digest[] Leaves = [.. Enumerable.Range(0, 300).Select(i => Digest.Of(BitConverter.GetBytes(i)))];
    private static readonly Dictionary<(int, long), Digest> Subtrees = Grow(Leaves);

    [Fact]
    public void Roots_and_proofs_are_those_of_the_definition()
    {
        for (var size = 0; size <= 70; size++)
        {
            Assert.Equal(SlowReference.LogRoot(Leaves.AsSpan(0, size)), MerkleTree.Root(size, Read));
            for (var smaller = 0; smaller < size; smaller++)
            {
                Assert.Equal(SlowReference.Path(smaller, Leaves.AsSpan(0, size)), MerkleTree.InclusionProof(smaller, size, Read));
                Assert.Equal(SlowReference.Proof(smaller, Leaves.AsSpan(0, size)), MerkleTree.ConsistencyProof(smaller, size, Read));
            }
        }
    }

    [Fact]
    public void Every_proof_that_is_made_is_verified_and_says_its_length_beforehand() =>
        Check.QuickThrowOnFailure(Prop.ForAll((byte first, byte second) =>
        {
            var (smaller, size) = (Math.Min(first, second), Math.Max(first, second) + 1);
            var (root, olderRoot) = (MerkleTree.Root(size, Read), MerkleTree.Root(smaller, Read));
            var inclusion = MerkleTree.InclusionProof(smaller, size, Read);
            var consistency = MerkleTree.ConsistencyProof(smaller, size, Read);
            return inclusion.Length == InclusionProof.Length(smaller, size)
                && consistency.Length == ConsistencyProof.Length(smaller, size)
                && InclusionProof.TryVerify(smaller, size, Leaves[smaller], inclusion, root, out _)
                && ConsistencyProof.TryVerify(smaller, size, olderRoot, root, consistency, out _);
        }));

    [Fact]
    public void No_bit_of_a_proof_its_leaf_or_its_roots_can_be_flipped()
    {
        const int index = 37, size = 100;
        var (root, olderRoot) = (MerkleTree.Root(size, Read), MerkleTree.Root(index, Read));
        var inclusion = MerkleTree.InclusionProof(index, size, Read);
        var consistency = MerkleTree.ConsistencyProof(index, size, Read);

        for (var bit = 0; bit < 256; bit++)
        {
            Assert.False(InclusionProof.TryVerify(index, size, Flip(Leaves[index], bit), inclusion, root, out _));
            Assert.False(InclusionProof.TryVerify(index, size, Leaves[index], inclusion, Flip(root, bit), out _));
            Assert.False(ConsistencyProof.TryVerify(index, size, Flip(olderRoot, bit), root, consistency, out var older));
            Assert.Equal(ProofError.OlderRoot, older);
            Assert.False(ConsistencyProof.TryVerify(index, size, olderRoot, Flip(root, bit), consistency, out var newer));
            Assert.Equal(ProofError.Root, newer);
            for (var node = 0; node < inclusion.Length; node++)
            {
                Assert.False(InclusionProof.TryVerify(index, size, Leaves[index], FlipIn(inclusion, node, bit), root, out _));
            }

            for (var node = 0; node < consistency.Length; node++)
            {
                Assert.False(ConsistencyProof.TryVerify(index, size, olderRoot, root, FlipIn(consistency, node, bit), out _));
            }
        }
    }

    private static Digest Read(int level, long index) => Subtrees[(level, index)];

    private static Dictionary<(int, long), Digest> Grow(Digest[] leaves)
    {
        var subtrees = new Dictionary<(int, long), Digest>();
        for (var size = 0; size < leaves.Length; size++)
        {
            MerkleTree.Append(
                size, leaves[size], (level, index) => subtrees[(level, index)], (level, index, hash) => subtrees.Add((level, index), hash));
        }

        return subtrees;
    }

    private static Digest[] FlipIn(Digest[] proof, int node, int bit)
    {
        var copy = (Digest[])proof.Clone();
        copy[node] = Flip(copy[node], bit);
        return copy;
    }

    private static Digest Flip(Digest digest, int bit)
    {
        var bytes = digest.ToArray();
        bytes[bit / 8] ^= (byte)(0x80 >> (bit % 8));
        return new Digest(bytes);
    }
}
