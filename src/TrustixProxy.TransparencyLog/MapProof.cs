using System.Collections.Immutable;

namespace TrustixProxy.TransparencyLog;

/// <summary>Why a map proof is invalid.</summary>
public enum MapProofError
{
    /// <summary>The proof is valid.</summary>
    None,

    /// <summary>The proof is missing.</summary>
    Missing,

    /// <summary>More than 256 side nodes.</summary>
    TooDeep,

    /// <summary>A side node is not 32 bytes.</summary>
    SideNodeSize,

    /// <summary>The bit mask is not ceil(side nodes / 8) bytes.</summary>
    BitMaskLength,

    /// <summary>A bit of the mask past the last side node is set.</summary>
    BitMaskPadding,

    /// <summary>The number of side nodes differs from the mask's.</summary>
    SideNodeCount,

    /// <summary>A side node that is the placeholder was sent instead of omitted.</summary>
    SideNodePlaceholder,

    /// <summary>The other leaf is not 65 bytes that begin with 00, or accompanies a value.</summary>
    OtherLeaf,

    /// <summary>The other leaf has the key itself, or is not on the key's path: it proves no absence.</summary>
    OtherLeafPath,

    /// <summary>The value is not a map entry.</summary>
    Value,

    /// <summary>The map entry names a leaf beyond the log's size under this head.</summary>
    Index,

    /// <summary>The proof does not yield the map root.</summary>
    Root,
}

/// <summary>A compact proof of the sparse Merkle map: that a key has an entry, or none. Well formed; <see cref="TryVerify"/> checks it
/// under a head.</summary>
/// <remarks>The form of celestiaorg/smt 0.3. A key's path is SHA-256(key), bit by bit, 0 to the left. A subtree with one leaf is that
/// leaf, an empty one the placeholder. Only the canonical encoding is accepted.</remarks>
public sealed class MapProof
{
    private const int MaxDepth = 256, OtherLeafSize = 1 + (2 * Digest.Size);

    /// <summary>Creates a proof from all side nodes, placeholders included.</summary>
    /// <param name="sideNodes">From the leaf's sibling up to the root's child; at most 256.</param>
    /// <param name="otherLeaf">For absence: the path and value hash of the leaf in the key's place, or null for an empty subtree.</param>
    public MapProof(ImmutableArray<Digest> sideNodes, (Digest Path, Digest ValueHash)? otherLeaf)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sideNodes.Length, MaxDepth);
        (SideNodes, OtherLeaf) = (sideNodes, otherLeaf);
    }

    /// <summary>All side nodes, from the leaf's sibling up to the root's child, placeholders included.</summary>
    public ImmutableArray<Digest> SideNodes { get; }

    /// <summary>For absence: the leaf in the key's place; null for an empty subtree, and for presence.</summary>
    public (Digest Path, Digest ValueHash)? OtherLeaf { get; }

    /// <summary>Parses the proof's wire form; null when the answer has none.</summary>
    public static bool TryRead(
        [NotNullWhen(true)] Wire.SparseCompactMerkleProof? message, [NotNullWhen(true)] out MapProof? proof, out MapProofError error)
    {
        (proof, var count) = (null, 0);
        error = message is null ? MapProofError.Missing
            : !WireNumber.TryRead(message.NumSideNodes, MaxDepth, out count) ? MapProofError.TooDeep
            : message.BitMask.Length != (count + 7) / 8 ? MapProofError.BitMaskLength
            : MapProofError.None;
        if (message is null || error is not MapProofError.None)
        {
            return false;
        }

        (Digest, Digest)? otherLeaf = null;
        error = TryReadSideNodes(message, count, out var sideNodes);
        if (error is MapProofError.None && message.HasNonMembershipLeafData)
        {
            var data = message.NonMembershipLeafData.Span;
            error = data.Length is OtherLeafSize && data[0] is 0 ? MapProofError.None : MapProofError.OtherLeaf;
            otherLeaf = error is MapProofError.None ? (new Digest(data[1..33]), new Digest(data[33..])) : null;
        }

        proof = error is MapProofError.None ? new MapProof(sideNodes, otherLeaf) : null;
        return proof is not null;
    }

    /// <summary>Encodes the proof's wire form.</summary>
    public Wire.SparseCompactMerkleProof ToMessage()
    {
        var mask = new byte[(SideNodes.Length + 7) / 8];
        var message = new Wire.SparseCompactMerkleProof { NumSideNodes = (ulong)SideNodes.Length };
        for (var i = 0; i < SideNodes.Length; i++)
        {
            if (SideNodes[i].IsPlaceholder)
            {
                mask[i / 8] |= (byte)(0x80 >> (i % 8));
            }
            else
            {
                message.SideNodes.Add(WireMessage.ToBytes(SideNodes[i]));
            }
        }

        message.BitMask = Google.Protobuf.ByteString.CopyFrom(mask);
        if (OtherLeaf is var (path, valueHash))
        {
            message.NonMembershipLeafData = Google.Protobuf.ByteString.CopyFrom([0, .. path.ToArray(), .. valueHash.ToArray()]);
        }

        return message;
    }

    /// <summary>Verifies the proof under a signed head's map root.</summary>
    /// <param name="head">The head.</param>
    /// <param name="key">The key asked for.</param>
    /// <param name="value">The map entry's bytes; empty when the key is claimed to be absent.</param>
    /// <param name="proven">The proven entry or absence.</param>
    /// <param name="error">Why nothing is proven.</param>
    public bool TryVerify(
        VerifiedTreeHead head, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, [NotNullWhen(true)] out ProvenDigest? proven,
            out MapProofError error)
    {
        MapEntry? entry = null;
        error = !value.IsEmpty && !MapEntry.TryParse(value, out entry) ? MapProofError.Value
            : entry is not null && entry.Index >= head.Content.TreeSize ? MapProofError.Index
            : Check(head.Content.MapRoot, Digest.Of(key), value);
        proven = error is MapProofError.None ? new ProvenDigest(head, key.ToArray(), entry) : null;
        return proven is not null;
    }

    /// <summary>Checks the proof for any value's bytes (none for absence), without parsing them.</summary>
    internal MapProofError Check(Digest mapRoot, Digest path, ReadOnlySpan<byte> value)
    {
        var node = default(Digest);
        if (!value.IsEmpty)
        {
            if (OtherLeaf is not null)
            {
                return MapProofError.OtherLeaf;
            }

            node = MerkleHash.MapLeaf(path, Digest.Of(value));
        }
        else if (OtherLeaf is var (otherPath, otherValueHash))
        {
            if (!ShareWay(path, otherPath, SideNodes.Length))
            {
                return MapProofError.OtherLeafPath;
            }

            node = MerkleHash.MapLeaf(otherPath, otherValueHash);
        }

        for (var i = 0; i < SideNodes.Length; i++)
        {
            var goesRight = path.Bit(SideNodes.Length - 1 - i);
            node = goesRight ? MerkleHash.Node(SideNodes[i], node) : MerkleHash.Node(node, SideNodes[i]);
        }

        return node == mapRoot ? MapProofError.None : MapProofError.Root;
    }

    /// <summary>Whether two paths share their first <paramref name="depth"/> steps.</summary>
    private static bool ShareWay(Digest path, Digest other, int depth)
    {
        for (var i = 0; i < depth; i++)
        {
            if (path.Bit(i) != other.Bit(i))
            {
                return false;
            }
        }

        return path != other;
    }

    private static MapProofError TryReadSideNodes(Wire.SparseCompactMerkleProof message, int count, out ImmutableArray<Digest> sideNodes)
    {
        var all = ImmutableArray.CreateBuilder<Digest>(count);
        sideNodes = [];
        var mask = message.BitMask.Span;
        var sent = 0;
        for (var i = 0; i < mask.Length * 8; i++)
        {
            var isLeftOut = (mask[i / 8] >> (7 - (i % 8)) & 1) == 1;
            if (i >= count)
            {
                if (isLeftOut)
                {
                    return MapProofError.BitMaskPadding;
                }
            }
            else if (isLeftOut)
            {
                all.Add(default);
            }
            else if (sent == message.SideNodes.Count)
            {
                return MapProofError.SideNodeCount;
            }
            else if (!Digest.TryRead(message.SideNodes[sent++].Span, out var node))
            {
                return MapProofError.SideNodeSize;
            }
            else if (node.IsPlaceholder)
            {
                return MapProofError.SideNodePlaceholder;
            }
            else
            {
                all.Add(node);
            }
        }

        sideNodes = all.MoveToImmutable();
        return sent == message.SideNodes.Count ? MapProofError.None : MapProofError.SideNodeCount;
    }
}
