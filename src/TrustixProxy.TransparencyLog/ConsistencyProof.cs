using System.Numerics;

namespace TrustixProxy.TransparencyLog;

/// <summary>Verifies that a log of a given size and root begins with all leaves of a smaller one: nothing was changed or removed.</summary>
/// <remarks>Source: RFC 9162, section 2.1.4. When the older size is a power of two, the proof does not repeat its root.</remarks>
public static class ConsistencyProof
{
    /// <summary>Returns the number of nodes in the proof between these sizes; 0 when they are equal or the older is 0.</summary>
    public static int Length(long older, long newer)
    {
        if (older is 0 || older == newer)
        {
            return 0;
        }

        var shift = BitOperations.TrailingZeroCount((ulong)older);
        return InclusionProof.Length(older - 1, newer) - shift + (BitOperations.IsPow2(older) ? 0 : 1);
    }

    /// <summary>Checks the proof. Accepts untrusted input of any kind and never throws.</summary>
    public static bool TryVerify(
        long older, long newer, Digest olderRoot, Digest newerRoot, ReadOnlySpan<Digest> proof, out ProofError error)
    {
        error = older < 0 || older > newer ? ProofError.Sizes
            : proof.Length != Length(older, newer) ? ProofError.Length
            : older is 0 ? Equal(olderRoot, MerkleHash.EmptyLog, ProofError.OlderRoot)
            : older == newer ? Equal(olderRoot, newerRoot, ProofError.Root)
            : CheckRoots(older, newer, olderRoot, newerRoot, proof);
        if (error is ProofError.None && newer is 0)
        {
            error = Equal(newerRoot, MerkleHash.EmptyLog, ProofError.Root);
        }

        return error is ProofError.None;
    }

    /// <summary>Whether the root of the first <paramref name="older"/> leaves, a power of two, can be read from a proof for one leaf
    /// more.</summary>
    /// <remarks>A proof for a power of two does not contain the older root, so a wrong older root and a wrong proof look alike. The proof
    /// from <c>older + 1</c> contains it, as the one node to the left of the last leaf.</remarks>
    public static bool HasPrefix(long older, long newer) => older > 1 && BitOperations.IsPow2(older) && newer - older > 1;

    /// <summary>Reads the root of the first <paramref name="older"/> leaves from the consistency proof from <c>older + 1</c> to
    /// <paramref name="newer"/>.</summary>
    /// <param name="older">A size for which <see cref="HasPrefix"/> holds.</param>
    /// <param name="newer">The size of the log.</param>
    /// <param name="newerRoot">The log's root, which the proof must yield.</param>
    /// <param name="proof">The proof.</param>
    /// <param name="prefixRoot">The root of the first leaves.</param>
    public static bool TryFindPrefix(long older, long newer, Digest newerRoot, ReadOnlySpan<Digest> proof, out Digest prefixRoot)
    {
        prefixRoot = default;
        if (!HasPrefix(older, newer) || proof.Length != Length(older + 1, newer))
        {
            return false;
        }

        var left = Math.Min(BitOperations.TrailingZeroCount((ulong)older), InclusionProof.InnerLength(older, newer));
        var nodes = proof[1..];
        prefixRoot = nodes[left];
        var (prefix, hash) = (prefixRoot, proof[0]);
        for (var level = 0; level < nodes.Length; level++)
        {
            hash = level == left ? MerkleHash.Node(prefix, hash) : MerkleHash.Node(hash, nodes[level]);
        }

        return hash == newerRoot;
    }

    private static ProofError Equal(Digest claimed, Digest right, ProofError error) => claimed == right ? ProofError.None : error;

    private static ProofError CheckRoots(long older, long newer, Digest olderRoot, Digest newerRoot, ReadOnlySpan<Digest> proof)
    {
        var shift = BitOperations.TrailingZeroCount((ulong)older);
        var inner = InclusionProof.InnerLength(older - 1, newer) - shift;
        var isPowerOfTwo = BitOperations.IsPow2(older);
        var seed = isPowerOfTwo ? olderRoot : proof[0];
        var nodes = isPowerOfTwo ? proof : proof[1..];
        var mask = (older - 1) >> shift;
        var (olderHash, newerHash) = (seed, seed);
        for (var level = 0; level < nodes.Length; level++)
        {
            if (level >= inner || (mask >> level & 1) == 1)
            {
                olderHash = MerkleHash.Node(nodes[level], olderHash);
                newerHash = MerkleHash.Node(nodes[level], newerHash);
            }
            else
            {
                newerHash = MerkleHash.Node(newerHash, nodes[level]);
            }
        }

        return newerHash != newerRoot ? ProofError.Root : Equal(olderRoot, olderHash, ProofError.OlderRoot);
    }
}
