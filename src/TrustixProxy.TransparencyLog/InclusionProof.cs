using System.Numerics;

namespace TrustixProxy.TransparencyLog;

/// <summary>Why a proof of the log or the map-head log is invalid.</summary>
public enum ProofError
{
    /// <summary>The proof is valid.</summary>
    None,

    /// <summary>The sizes or the index contradict each other: no proof can exist for them.</summary>
    Sizes,

    /// <summary>The number of nodes is wrong for these sizes. Detected before the first hash.</summary>
    Length,

    /// <summary>The proof does not yield the newer root (for inclusion, the root).</summary>
    Root,

    /// <summary>The proof yields the newer root, and another older root than claimed: the log changed its past.</summary>
    OlderRoot,
}

/// <summary>Verifies that a leaf is in a log of a given size and root, at a given index.</summary>
/// <remarks>Source: RFC 9162, section 2.1.3. Nodes are ordered from the leaf up to the root.</remarks>
public static class InclusionProof
{
    /// <summary>Returns the number of nodes in the proof for leaf <paramref name="index"/> of a log of <paramref name="size"/>
    /// leaves.</summary>
    public static int Length(long index, long size)
    {
        var inner = InnerLength(index, size);
        return inner + BitOperations.PopCount((ulong)(index >> inner));
    }

    /// <summary>Checks the proof. Accepts untrusted input of any kind and never throws.</summary>
    public static bool TryVerify(long index, long size, Digest leaf, ReadOnlySpan<Digest> proof, Digest root, out ProofError error)
    {
        error = index < 0 || index >= size ? ProofError.Sizes
            : proof.Length != Length(index, size) ? ProofError.Length
            : RootFrom(index, size, leaf, proof) != root ? ProofError.Root
            : ProofError.None;
        return error is ProofError.None;
    }

    /// <summary>Returns the number of levels after which the leaf's path reaches the right edge of the tree.</summary>
    internal static int InnerLength(long index, long size) => 64 - BitOperations.LeadingZeroCount((ulong)(index ^ (size - 1)));

    private static Digest RootFrom(long index, long size, Digest hash, ReadOnlySpan<Digest> proof)
    {
        var inner = InnerLength(index, size);
        for (var level = 0; level < proof.Length; level++)
        {
            // Below the right edge the index determines the side; along it, every sibling is on the left.
            var onLeft = level < inner && (index >> level & 1) == 0;
            hash = onLeft ? MerkleHash.Node(hash, proof[level]) : MerkleHash.Node(proof[level], hash);
        }

        return hash;
    }
}
