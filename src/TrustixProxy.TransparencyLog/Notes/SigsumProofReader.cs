using System.Buffers.Binary;
using System.Collections.Immutable;
using TrustixProxy.Native;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>Reads proof files of Sigsum.</summary>
internal static class SigsumProofReader
{
    private const int MaxCosignatures = NoteSignature.Most, MaxNodes = 63;

    /// <summary>Reads a text whole.</summary>
    public static bool TryRead(ReadOnlySpan<char> rest, [NotNullWhen(true)] out SigsumProof? proof)
    {
        proof = null;
        byte[] leafSignature = new byte[Ed25519PublicKey.SignatureSize], logSignature = new byte[Ed25519PublicKey.SignatureSize];
        if (NoteText.TryTakeField(ref rest, "version=", out var version) && version is "2"
            && TryTakeHash(ref rest, "log=", out var log)
            && NoteText.TryTakeField(ref rest, "leaf=", out var leaf) && TryReadSigned(leaf, out var submitter, out var signature)
            && NoteText.TryReadHex(signature, leafSignature)
            && TryTakeEmpty(ref rest)
            && NoteText.TryTakeField(ref rest, "size=", out var number) && NoteText.TryReadNumber(number, out var size) && size > 0
            && TryTakeHash(ref rest, "root_hash=", out var root)
            && NoteText.TryTakeField(ref rest, "signature=", out signature) && NoteText.TryReadHex(signature, logSignature)
            && TryTakeCosignatures(ref rest, out var cosignatures)
            && TryTakeInclusion(ref rest, size, out var index, out var inclusion))
        {
            proof = new SigsumProof(log, submitter, leafSignature, new Checkpoint(SigsumLog.OriginOf(log), size, root), logSignature,
                cosignatures, index, inclusion);
        }

        return proof is not null;
    }

    private static bool TryReadHash(ReadOnlySpan<char> text, out Digest hash)
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        var isHash = NoteText.TryReadHex(text, bytes);
        hash = isHash ? new Digest(bytes) : default;
        return isHash;
    }

    private static bool TryTakeHash(ref ReadOnlySpan<char> rest, string prefix, out Digest hash)
    {
        hash = default;
        return NoteText.TryTakeField(ref rest, prefix, out var value) && TryReadHash(value, out hash);
    }

    private static bool TryTakeEmpty(ref ReadOnlySpan<char> rest) => NoteText.TryTakeLine(ref rest, out var line) && line.IsEmpty;

    /// <summary>Reads a key's hash, a space, and what stands after it.</summary>
    private static bool TryReadSigned(ReadOnlySpan<char> text, out Digest keyHash, out ReadOnlySpan<char> value)
    {
        var space = text.IndexOf(' ');
        keyHash = default;
        value = space < 0 ? default : text[(space + 1)..];
        return space >= 0 && TryReadHash(text[..space], out keyHash);
    }

    private static bool TryTakeCosignatures(ref ReadOnlySpan<char> rest, out ImmutableArray<SigsumCosignature> cosignatures)
    {
        var found = ImmutableArray.CreateBuilder<SigsumCosignature>();
        cosignatures = [];
        while (NoteText.TryTakeField(ref rest, "cosignature=", out var line))
        {
            var bytes = new byte[Cosignature.TimeSize + Ed25519PublicKey.SignatureSize];
            var space = line.LastIndexOf(' ');
            if (found.Count is MaxCosignatures || space < 0 || !TryReadSigned(line[..space], out var hash, out var number)
                || !NoteText.TryReadNumber(number, out var time)
                || !NoteText.TryReadHex(line[(space + 1)..], bytes.AsSpan(Cosignature.TimeSize)))
            {
                return false;
            }

            BinaryPrimitives.WriteInt64BigEndian(bytes, time);
            found.Add(new SigsumCosignature(hash, bytes));
        }

        cosignatures = found.ToImmutable();
        return true;
    }

    private static bool TryTakeInclusion(ref ReadOnlySpan<char> rest, long size, out long index, out ImmutableArray<Digest> inclusion)
    {
        (index, inclusion) = (0, []);
        if (size is 1)
        {
            return rest.IsEmpty;
        }

        var found = ImmutableArray.CreateBuilder<Digest>();
        if (!TryTakeEmpty(ref rest) || !NoteText.TryTakeField(ref rest, "leaf_index=", out var number)
            || !NoteText.TryReadNumber(number, out index))
        {
            return false;
        }

        while (!rest.IsEmpty)
        {
            if (found.Count is MaxNodes || !TryTakeHash(ref rest, "node_hash=", out var node))
            {
                return false;
            }

            found.Add(node);
        }

        inclusion = found.ToImmutable();
        return true;
    }
}
