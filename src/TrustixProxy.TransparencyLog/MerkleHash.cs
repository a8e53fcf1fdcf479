namespace TrustixProxy.TransparencyLog;

/// <summary>The hashes of all three trees: leaves begin with 00, inner nodes with 01 (RFC 6962, section 2.1).</summary>
public static class MerkleHash
{
    /// <summary>The root of the empty log: SHA-256 of nothing.</summary>
    public static Digest EmptyLog { get; } = Digest.Of([]);

    /// <summary>Computes an inner node: SHA-256(01 || left || right).</summary>
    public static Digest Node(Digest left, Digest right)
    {
        Span<byte> input = stackalloc byte[1 + (2 * Digest.Size)];
        input[0] = 1;
        left.CopyTo(input[1..]);
        right.CopyTo(input[(1 + Digest.Size)..]);
        return Digest.Of(input);
    }

    /// <summary>Computes a leaf of the log: SHA-256(00 || key || 3a || digest). Unambiguous, since the final digest has a fixed
    /// length.</summary>
    public static Digest LogLeaf(ReadOnlySpan<byte> key, Digest valueDigest)
    {
        var length = 1 + key.Length + 1 + Digest.Size;
        var input = length <= 512 ? stackalloc byte[length] : new byte[length];
        input[0] = 0;
        key.CopyTo(input[1..]);
        input[1 + key.Length] = (byte)':';
        valueDigest.CopyTo(input[(length - Digest.Size)..]);
        return Digest.Of(input);
    }

    /// <summary>Computes a leaf of the map-head log: SHA-256(00 || map root).</summary>
    public static Digest MapHeadLeaf(Digest mapRoot)
    {
        Span<byte> entry = stackalloc byte[Digest.Size];
        mapRoot.CopyTo(entry);
        return Leaf(entry);
    }

    /// <summary>Computes the leaf of an entry: SHA-256(00 || entry). The log's entry is key, colon and digest; the map-head log's is the
    /// map root.</summary>
    public static Digest Leaf(ReadOnlySpan<byte> entry)
    {
        var length = 1 + entry.Length;
        var input = length <= 512 ? stackalloc byte[length] : new byte[length];
        input[0] = 0;
        entry.CopyTo(input[1..]);
        return Digest.Of(input);
    }

    /// <summary>A leaf of the map: SHA-256(00 || path || value hash).</summary>
    /// <param name="path">SHA-256 of the key.</param>
    /// <param name="valueHash">SHA-256 of the map entry's bytes.</param>
    public static Digest MapLeaf(Digest path, Digest valueHash)
    {
        Span<byte> input = stackalloc byte[1 + (2 * Digest.Size)];
        input[0] = 0;
        path.CopyTo(input[1..]);
        valueHash.CopyTo(input[(1 + Digest.Size)..]);
        return Digest.Of(input);
    }
}
