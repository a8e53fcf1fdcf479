using System.Text;
using TrustixProxy.Native;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Fuzz;

/// <summary>The doors that checkpoints, policies and proof files pass. What is accepted is written again to the same bytes.</summary>
internal static class NoteDoors
{
    private const string Origin = "log.example/nix";
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);
    private static readonly LogSigner Signer = new(new byte[32]);
    private static readonly TestWitness Witness = new("w1", 1);
    private static readonly byte[] Entry = "entry"u8.ToArray();
    private static readonly Checkpoint Said = new(Origin, 1, MerkleHash.Leaf(Entry));
    private static readonly string PolicyText = $"log {VerifierKey.OfLog(Origin, Signer.Key)} https://log.example\n{Witness.Line}"
        + $"{new TestWitness("w2", 2).Line}# ours\ngroup g any w1\ngroup h 1 g w2\nquorum h\n";

    private static readonly WitnessPolicy Policy =
        WitnessPolicy.TryParse(Encoding.UTF8.GetBytes(PolicyText), mustDemand: true, out var policy, out var fault) ? policy
            : throw new InvalidOperationException(fault.ToString());

    public static IEnumerable<Door> All =>
    [
        Door.OfText("VerifierKey", text => VerifierKey.TryParse(text, out var key, out _) && key.ToString() == text,
            Witness.Key.ToString(), VerifierKey.OfLog(Origin, Signer.Key).ToString()),
        new("SignedNote", [Cosigned().ToBytes()], bytes =>
            SignedNote.TryParse(bytes, out var note, out _) && IsSame(note.ToBytes(), bytes)),
        new("NoteSignature", [.. Lines()], bytes => NoteSignature.TryParseLines(bytes, out _)),
        Door.OfText("Checkpoint", text => Checkpoint.TryParse(text, out var checkpoint) && Checkpoint.TryRead(
            SignedNote.Of(checkpoint.ToString()), out var again) && again == checkpoint, Said.ToString()),
        new("WitnessPolicy", [Encoding.UTF8.GetBytes(PolicyText)], bytes =>
            WitnessPolicy.TryParse(bytes, mustDemand: true, out var read, out _) && read.LiarsBorne >= -1),
        new("WitnessDemand", [Cosigned().ToBytes()], bytes =>
            new WitnessDemand(Origin, Signer.Key, Policy, TimeSpan.FromDays(1)).Verify(bytes, Said, Now) is CheckpointVerdict.Witnessed),
        new("CheckpointRequest", [new CheckpointRequest(0, [MerkleHash.EmptyLog], Cosigned()).ToBytes()], bytes =>
            CheckpointRequest.TryParse(bytes, out var request) && IsSame(request.ToBytes(), bytes)),
        new("CheckpointRequest, size", ["700\n"u8.ToArray()], bytes => CheckpointRequest.TryReadSize(bytes, out _)),
        new("TlogProof", [new TlogProof(Entry, 0, [], Cosigned()).ToBytes()], bytes => TlogProof.TryParse(bytes, out var proof)
            && IsSame(proof.ToBytes(), bytes) && proof.Verify(Entry, Policy, Now) is CheckpointVerdict.Witnessed),
        new("EntryBundle", [EntryBundle.Encode([Entry, Entry])], bytes =>
            EntryBundle.TryRead(bytes, 2, out var entries) && IsSame(EntryBundle.Encode(entries), bytes)),
        new("SigsumProof", [Sigsum(1), Sigsum(2)], bytes => SigsumProof.TryParse(bytes, out var proof) && IsSame(proof.ToBytes(), bytes)
            && proof.Verify(Entry, [new SigsumKey(Ed25519())], Policy, Now) is not null),
        new("ArchiveDescription", [ArchiveDescription.Of(Signer.Key, Origin).ToBytes(), ArchiveDescription.Of(Signer.Key, null).ToBytes()],
            bytes => Accepts(() => ArchiveDescription.Decode(bytes).ToBytes())),
        new("ArchiveLayout, leaves", [EntryBundle.Encode([EntryBundle.EntryOf("key"u8, Digest.Of(Entry))])], bytes =>
            Accepts(() => ArchiveLayout.DecodeLeaves(bytes).ToList())),
        new("ArchiveLayout, values", [ArchiveLayout.EncodeValues([Entry, Entry])], bytes =>
            Accepts(() => ArchiveLayout.DecodeValues(bytes).ToList())),
        Door.OfText("SigsumKey", text => SigsumKey.TryParse(text, out var key) && SigsumKey.TryParse(key.ToString(), out var again)
            && again.Equals(key), new SigsumKey(Ed25519()).ToString(),
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8WT0T5LaO8M/43MeyoS/iPwZ6DhnDXBcjrMzCp7lUI sigsum key"),
    ];

    /// <summary>Whether a reader that throws for foreign bytes accepts them.</summary>
    private static bool Accepts(Func<object> read)
    {
        try
        {
            return read() is not null;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    private static SignedNote Cosigned()
    {
        var note = new CheckpointSigner(Origin, Signer).Sign(Said.Size, Said.Root);
        return note.With(Witness.Cosign(note, Now));
    }

    private static IEnumerable<byte[]> Lines() => [Encoding.UTF8.GetBytes($"{Cosigned().Signatures[1]}\n")];

    private static byte[] Sigsum(long size)
    {
        var cosignature = new SigsumCosignature(Digest.Of(Witness.Key.Bytes), Witness.Sign("x", 5));
        var origin = $"sigsum.org/v1/tree/{Digest.Of(Signer.Key.Bytes)}";
        return new SigsumProof(Digest.Of(Signer.Key.Bytes), Digest.Of(Ed25519().Bytes), new byte[64], new Checkpoint(
            origin, size, Said.Root), new byte[64], [cosignature], 0, size > 1 ? [Said.Root] : []).ToBytes();
    }

    private static Ed25519PublicKey Ed25519() => new Ed25519SigningKey(new byte[32]).PublicKey;

    private static bool IsSame(byte[] written, byte[] read) => written.AsSpan().SequenceEqual(read) ? true
        : throw new InvalidDataException("what was read is not what is written");
}
