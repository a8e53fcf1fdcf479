using System.Buffers.Binary;
using System.Collections.Immutable;

namespace TrustixProxy.TransparencyLog;

/// <summary>The content of a head: the roots and sizes of the log, map and map-head log.</summary>
/// <param name="LogRoot">Root of the log.</param>
/// <param name="TreeSize">Number of leaves of the log; not negative.</param>
/// <param name="MapRoot">Root of the sparse Merkle map; the placeholder when it is empty.</param>
/// <param name="MapHeadRoot">Root of the map-head log, whose leaves are the map roots of all heads ever signed, including this one.</param>
/// <param name="MapHeadSize">Number of heads ever signed; at least 1.</param>
public sealed record TreeHead(Digest LogRoot, long TreeSize, Digest MapRoot, Digest MapHeadRoot, long MapHeadSize)
{
    /// <summary>Computes the 32 signed bytes: SHA-256(log root || LE64 tree size || map root || map-head root || LE64 map-head
    /// size).</summary>
    public byte[] SigningDigest()
    {
        Span<byte> text = stackalloc byte[(3 * Digest.Size) + 16];
        LogRoot.CopyTo(text);
        BinaryPrimitives.WriteInt64LittleEndian(text[32..], TreeSize);
        MapRoot.CopyTo(text[40..]);
        MapHeadRoot.CopyTo(text[72..]);
        BinaryPrimitives.WriteInt64LittleEndian(text[104..], MapHeadSize);
        return Digest.Of(text).ToArray();
    }
}

/// <summary>Why bytes are not a signed tree head of a log.</summary>
public enum TreeHeadError
{
    /// <summary>The head is valid.</summary>
    None,

    /// <summary>A root is not 32 bytes.</summary>
    RootSize,

    /// <summary>A size is at least 2^63, the map-head log is empty (it has a leaf per head, including this one), or an empty log has a
    /// root.</summary>
    Sizes,

    /// <summary>The signature is not 64 bytes.</summary>
    SignatureSize,

    /// <summary>The signature is not this log's signature over this head.</summary>
    Signature,
}

/// <summary>A signed tree head that was parsed but not verified: do not trust it. <see cref="LogKey.TryVerify"/> verifies it.</summary>
public sealed class SignedTreeHead
{
    private readonly byte[] _signature;

    private SignedTreeHead(TreeHead content, byte[] signature) => (Content, _signature) = (content, signature);

    /// <summary>The claimed content.</summary>
    public TreeHead Content { get; }

    /// <summary>The signature: 64 bytes.</summary>
    public ReadOnlySpan<byte> Signature => _signature;

    /// <summary>Parses the head's wire form.</summary>
    public static bool TryRead(Wire.LogHead message, [NotNullWhen(true)] out SignedTreeHead? head, out TreeHeadError error)
    {
        head = null;
        if (!Digest.TryRead(message.LogRoot.Span, out var logRoot)
            || !Digest.TryRead(message.MapRoot.Span, out var mapRoot)
            || !Digest.TryRead(message.MHRoot.Span, out var mapHeadRoot))
        {
            error = TreeHeadError.RootSize;
            return false;
        }

        error = !WireNumber.TryRead(message.TreeSize, out var size)
                | !WireNumber.TryRead(message.MHTreeSize, out var mapHeadSize) || mapHeadSize is 0 ? TreeHeadError.Sizes
            : size is 0 && (logRoot != MerkleHash.EmptyLog || !mapRoot.IsPlaceholder) ? TreeHeadError.Sizes
            : message.Signature.Length is not 64 ? TreeHeadError.SignatureSize
            : TreeHeadError.None;
        if (error is TreeHeadError.None)
        {
            var content = new TreeHead(logRoot, size, mapRoot, mapHeadRoot, mapHeadSize);
            head = new SignedTreeHead(content, message.Signature.ToByteArray());
        }

        return head is not null;
    }
}

/// <summary>A tree head with a verified signature. Created only by <see cref="LogKey.TryVerify"/>.</summary>
public sealed class VerifiedTreeHead
{
    private readonly byte[] _signature;

    internal VerifiedTreeHead(LogKey key, TreeHead content, ReadOnlySpan<byte> signature) =>
        (Key, Content, _signature) = (key, content, signature.ToArray());

    /// <summary>The key that signed it.</summary>
    public LogKey Key { get; }

    /// <summary>The head's content.</summary>
    public TreeHead Content { get; }

    /// <summary>The proof that the map root is the last leaf of the map-head log; null while that is not shown.</summary>
    /// <remarks>Without it, a log could show one user another map under the same two roots.</remarks>
    public ImmutableArray<Digest>? MapRootProof { get; private init; }

    /// <summary>Shows that the map root is the last leaf of the map-head log.</summary>
    /// <param name="proof">The inclusion proof of that leaf.</param>
    /// <param name="shown">This head with the proof.</param>
    /// <param name="error">Why it is not shown.</param>
    public bool TryShowMapRoot(ReadOnlySpan<Digest> proof, [NotNullWhen(true)] out VerifiedTreeHead? shown, out ProofError error)
    {
        var isShown = InclusionProof.TryVerify(Content.MapHeadSize - 1, Content.MapHeadSize, MerkleHash.MapHeadLeaf(Content.MapRoot), proof,
            Content.MapHeadRoot, out error);
        shown = isShown ? new VerifiedTreeHead(Key, Content, _signature) { MapRootProof = [.. proof] } : null;
        return isShown;
    }

    /// <summary>Encodes the head's wire form, signature included: the form that is stored and shown as evidence.</summary>
    public Wire.LogHead ToMessage() => new()
    {
        LogRoot = WireMessage.ToBytes(Content.LogRoot),
        TreeSize = (ulong)Content.TreeSize,
        MapRoot = WireMessage.ToBytes(Content.MapRoot),
        MHRoot = WireMessage.ToBytes(Content.MapHeadRoot),
        MHTreeSize = (ulong)Content.MapHeadSize,
        Signature = Google.Protobuf.ByteString.CopyFrom(_signature),
    };
}
