using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace TrustixProxy.TransparencyLog.Notes;

/// <summary>A cosignature as Sigsum's proofs write it: the witness is known by the hash of its key.</summary>
/// <param name="KeyHash">SHA-256 of the witness's key.</param>
/// <param name="Signature">The time as 8 bytes, most significant first, and the signature, as on a note's line.</param>
public sealed record SigsumCosignature(Digest KeyHash, ReadOnlyMemory<byte> Signature);

/// <summary>A proof file of Sigsum, version 2: a signed checksum is in a log whose state witnesses have seen.</summary>
/// <remarks>
/// <code>
/// version=2
/// log=KEYHASH
/// leaf=KEYHASH SIGNATURE
///
/// size=6
/// root_hash=HASH
/// signature=SIGNATURE
/// cosignature=KEYHASH TIME SIGNATURE     any number
///
/// leaf_index=3                           this part is missing for size 1
/// node_hash=HASH                         from 0 to 63
/// </code>
/// All hashes and signatures are lower-case hexadecimal. The checksum is SHA-256(SHA-256(file)). Source: sigsum-go, sigsum-proof.md.
/// </remarks>
/// <param name="LogKeyHash">SHA-256 of the log's key.</param>
/// <param name="SubmitterKeyHash">SHA-256 of the key that signed the checksum.</param>
/// <param name="LeafSignature">The submitter's signature: 64 bytes.</param>
/// <param name="Checkpoint">The log's claimed state; its origin follows from the log's key.</param>
/// <param name="LogSignature">The log's signature over the checkpoint: 64 bytes.</param>
/// <param name="Cosignatures">The cosignatures, in their order.</param>
/// <param name="Index">Index of the leaf, from 0.</param>
/// <param name="Inclusion">The inclusion proof, from the leaf up.</param>
public sealed record SigsumProof(
    Digest LogKeyHash, Digest SubmitterKeyHash, ReadOnlyMemory<byte> LeafSignature, Checkpoint Checkpoint,
        ReadOnlyMemory<byte> LogSignature, ImmutableArray<SigsumCosignature> Cosignatures, long Index, ImmutableArray<Digest> Inclusion)
{
    /// <summary>Maximum size of a proof file, in bytes.</summary>
    public const int MaxSize = NoteText.MaxSize;

    /// <summary>Reads a proof whole: what <see cref="ToBytes"/> returns for it are the same bytes.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out SigsumProof? proof)
    {
        proof = null;
        return NoteText.TryDecode(bytes, MaxSize, out var text) && SigsumProofReader.TryRead(text, out proof);
    }

    /// <summary>Checks that one of these keys signed a file, and that a log of the policy holds the signed checksum under a state that the
    /// policy accepts.</summary>
    /// <param name="file">The file's content.</param>
    /// <param name="submitters">The keys of those who may have signed it.</param>
    /// <param name="policy">The logs and the witnesses, of which only the keys matter.</param>
    /// <param name="now">The time.</param>
    public CheckpointVerdict Verify(
        ReadOnlySpan<byte> file, IEnumerable<SigsumKey> submitters, WitnessPolicy policy, DateTimeOffset now)
    {
        var checksum = Digest.Of(Digest.Of(file).ToArray()).ToArray();
        var log = policy.Logs.FirstOrDefault(log => Digest.Of(log.Key.Bytes) == LogKeyHash);
        var submitter = submitters.FirstOrDefault(key => key.Hash == SubmitterKeyHash);
        var text = Checkpoint.ToString();
        var leaf = MerkleHash.Leaf([.. checksum, .. LeafSignature.Span, .. SubmitterKeyHash.ToArray()]);
        var error = log is null ? CheckpointError.Origin
            : submitter is null || !submitter.Verify(LeafText(checksum), LeafSignature.Span) ? CheckpointError.LeafSignature
            : !log.Key.Verify(Encoding.UTF8.GetBytes(text), LogSignature.Span) ? CheckpointError.LogSignature
            : !InclusionProof.TryVerify(Index, Checkpoint.Size, leaf, Inclusion.AsSpan(), Checkpoint.Root, out _)
                ? CheckpointError.Inclusion
            : CheckpointError.None;
        return error is not CheckpointError.None ? new CheckpointVerdict.Refused(error)
            : WitnessDemand.Judge(Checkpoint, policy.Count(text, SignaturesOf, now), now, within: null);
    }

    /// <summary>Encodes the proof.</summary>
    public byte[] ToBytes()
    {
        var text = new StringBuilder("version=2\n").Append(CultureInfo.InvariantCulture, $"log={LogKeyHash}\n")
            .Append(CultureInfo.InvariantCulture, $"leaf={SubmitterKeyHash} {Convert.ToHexStringLower(LeafSignature.Span)}\n\n")
            .Append(CultureInfo.InvariantCulture, $"size={Checkpoint.Size}\nroot_hash={Checkpoint.Root}\n")
            .Append(CultureInfo.InvariantCulture, $"signature={Convert.ToHexStringLower(LogSignature.Span)}\n");
        foreach (var (hash, signature) in Cosignatures)
        {
            var time = BinaryPrimitives.ReadUInt64BigEndian(signature.Span);
            text.Append(CultureInfo.InvariantCulture,
                $"cosignature={hash} {time} {Convert.ToHexStringLower(signature.Span[Cosignature.TimeSize..])}\n");
        }

        if (Checkpoint.Size > 1)
        {
            text.Append(CultureInfo.InvariantCulture, $"\nleaf_index={Index}\n");
            foreach (var node in Inclusion)
            {
                text.Append(CultureInfo.InvariantCulture, $"node_hash={node}\n");
            }
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>Returns the text that a submitter signs.</summary>
    internal static byte[] LeafText(ReadOnlySpan<byte> checksum) => [.. "sigsum.org/v1/tree-leaf\0"u8, .. checksum];

    private IEnumerable<ReadOnlyMemory<byte>> SignaturesOf(VerifierKey witness)
    {
        var hash = Digest.Of(witness.Bytes);
        return Cosignatures.Where(cosignature => cosignature.KeyHash == hash).Select(cosignature => cosignature.Signature);
    }
}
