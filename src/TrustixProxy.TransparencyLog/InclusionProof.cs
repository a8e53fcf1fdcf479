using System.Numerics;

namespace TrustixProxy.TransparencyLog;

/// <summary>Why a proof of the log or the map-head log is refused.</summary>
public enum ProofError
{
    /// <summary>It proves its claim.</summary>
    None,

    /// <summary>The sizes or the index contradict each other: nothing can be proven for them.</summary>
    Sizes,

    /// <summary>It has more or fewer nodes than a proof for these sizes has. Found before the first hash.</summary>
    Length,

    /// <summary>The newer root (or, for inclusion, the root) does not come out of it.</summary>
    Root,

    /// <summary>The newer root comes out of it, and an older root other than the claimed one: the log has changed its past.</summary>
    OlderRoot,
}

/// <summary>Shows that a leaf is in a log of a given size and root, at a given index.</summary>
/// <remarks>Source: RFC 9162, section 2.1.3. Nodes go from the leaf up to the root.</remarks>
public static class InclusionProof
{
    /// <summary>How many nodes the proof for a leaf at <paramref name="index"/> of a log of <paramref name="size"/> leaves has.</summary>
    public static int Length(long index, long size)
    {
        var inner = InnerLength(index, size);
        return inner + BitOperations.PopCount((ulong)(index >> inner));
    }

    /// <summary>Checks the proof. Foreign input of any kind is answered.</summary>
    public static bool TryVerify(long index, long size, Digest leaf, ReadOnlySpan<Digest> proof, Digest root, out ProofError error)
    {
        error = index < 0 || index >= size ? ProofError.Sizes
            : proof.Length != Length(index, size) ? ProofError.Length
            : RootFrom(index, size, leaf, proof) != root ? ProofError.Root
            : ProofError.None;
        return error is ProofError.None;
    }

    /// <summary>How many levels up the leaf's path leaves the right edge of the tree.</summary>
    internal static int InnerLength(long index, long size) => 64 - BitOperations.LeadingZeroCount((ulong)(index ^ (size - 1)));

    private static Digest RootFrom(long index, long size, Digest hash, ReadOnlySpan<Digest> proof)
    {
        var inner = InnerLength(index, size);
        for (var level = 0; level < proof.Length; level++)
        {
            // Below the right edge the index says on which side we are; along it, all that is left is to our left.
            var onLeft = level < inner && (index >> level & 1) == 0;
            hash = onLeft ? MerkleHash.Node(hash, proof[level]) : MerkleHash.Node(proof[level], hash);
        }

        return hash;
    }
}
