namespace TrustixProxy.TransparencyLog;

/// <summary>A map's proven answer for a key under a signed head: an entry, or absence. Created only by
/// <see cref="MapProof.TryVerify"/>.</summary>
public sealed class ProvenDigest
{
    private readonly byte[] _key;

    internal ProvenDigest(VerifiedTreeHead head, byte[] key, MapEntry? entry) => (Head, _key, Entry) = (head, key, entry);

    /// <summary>The head it is proven under.</summary>
    public VerifiedTreeHead Head { get; }

    /// <summary>The key.</summary>
    public ReadOnlySpan<byte> Key => _key;

    /// <summary>The entry; null when the key is proven to be absent.</summary>
    public MapEntry? Entry { get; }

    /// <summary>Whether the log's leaf at the entry's index holds the same key and digest, which ties the map to the append-only
    /// log.</summary>
    /// <param name="proof">The inclusion proof under the same head.</param>
    /// <param name="error">Why it is not proven.</param>
    public bool IsTied(ReadOnlySpan<Digest> proof, out ProofError error)
    {
        if (Entry is null)
        {
            error = ProofError.Sizes;
            return false;
        }

        var leaf = MerkleHash.LogLeaf(_key, Entry.ValueDigest);
        return InclusionProof.TryVerify(Entry.Index, Head.Content.TreeSize, leaf, proof, Head.Content.LogRoot, out error);
    }

    /// <summary>Whether these bytes have the proven digest.</summary>
    public bool IsValue(ReadOnlySpan<byte> value) => Entry is not null && Digest.Of(value) == Entry.ValueDigest;
}
