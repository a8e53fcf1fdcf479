using System.Text;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;
using static TrustixProxy.TransparencyLog.Tests.Notes.NoteVectors;

namespace TrustixProxy.TransparencyLog.Tests.Notes;

/// <summary>Notes, keys and checkpoints have one spelling; any other is refused for its own reason.</summary>
public sealed class NoteFormTests
{
    private const string Root = "9Zy6CYsNGF/vHUDpgGLejnEWtz4MfGnr7EXN8HmfCOA=", Line = "— a.example AAAAAQI=\n";

    [Theory]
    [InlineData("text\n\n" + Line, SignedNoteError.None)]
    [InlineData("text\n\nmore\n\n" + Line, SignedNoteError.None)]
    [InlineData("text\n" + Line, SignedNoteError.Form)]
    [InlineData("", SignedNoteError.Form)]
    [InlineData("text\n\n", SignedNoteError.Signatures)]
    [InlineData("text\n\n— a.example AAAAAQI=", SignedNoteError.Signatures)]
    [InlineData("text\n\n" + Line + "x\n", SignedNoteError.Signatures)]
    [InlineData("text\n\n- a.example AAAAAQI=\n", SignedNoteError.Signatures)]
    [InlineData("text\n\n— a+b AAAAAQI=\n", SignedNoteError.Signatures)]
    [InlineData("text\n\n— a b AAAAAQI=\n", SignedNoteError.Signatures)]
    [InlineData("text\n\n—  AAAAAQI=\n", SignedNoteError.Signatures)]
    [InlineData("text\n\n— a AAAAAQ==\n", SignedNoteError.Signatures)]
    [InlineData("text\n\n— a AAAAAQJ=\n", SignedNoteError.Signatures)]
    [InlineData("text\n\n— a AAAA AQI=\n", SignedNoteError.Signatures)]
    [InlineData("text\n\n— a AAAAAQI\n", SignedNoteError.Signatures)]
    [InlineData("text\n\n" + Line + "— a AAAA AQI=\n", SignedNoteError.Signatures)]
    [InlineData("te\rxt\n\n" + Line, SignedNoteError.Encoding)]
    [InlineData("te\0xt\n\n" + Line, SignedNoteError.Encoding)]
    [InlineData("te\txt\n\n" + Line, SignedNoteError.Encoding)]
    public void A_note_is_text_an_empty_line_and_signature_lines(string text, SignedNoteError expected)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var isRead = SignedNote.TryParse(bytes, out var note, out var error);

        Assert.Equal(expected, error);
        Assert.Equal(expected is SignedNoteError.None, isRead);
        Assert.Equal(isRead ? bytes : null, note?.ToBytes());
    }

    [Fact]
    public void A_note_is_bounded_in_size_encoding_and_signatures()
    {
        Assert.False(SignedNote.TryParse([0xff, (byte)'\n', (byte)'\n', .. Encoding.UTF8.GetBytes(Line)], out _, out var error));
        Assert.Equal(SignedNoteError.Encoding, error);
        Assert.False(SignedNote.TryParse(new byte[(64 << 10) + 1], out _, out error));
        Assert.Equal(SignedNoteError.Size, error);
        Assert.True(SignedNote.TryParse(Many(100), out var note, out _));
        Assert.Equal(100, note.Signatures.Length);
        Assert.False(SignedNote.TryParse(Many(101), out _, out error));
        Assert.Equal(SignedNoteError.Signatures, error);

        static byte[] Many(int lines) => Encoding.UTF8.GetBytes($"text\n\n{string.Concat(Enumerable.Repeat(Line, lines))}");
    }

    [Theory]
    [InlineData("log.example/nix\n700\n" + Root + "\n", true)]
    [InlineData("log.example/nix\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", true)]
    [InlineData("log.example/nix\n9223372036854775807\n" + Root + "\n", true)]
    [InlineData("log.example/nix\n0\n" + Root + "\n", false)]
    [InlineData("log.example/nix\n9223372036854775808\n" + Root + "\n", false)]
    [InlineData("log.example/nix\n0700\n" + Root + "\n", false)]
    [InlineData("log.example/nix\n+700\n" + Root + "\n", false)]
    [InlineData("log.example/nix\n-1\n" + Root + "\n", false)]
    [InlineData("log.example/nix\n\n" + Root + "\n", false)]
    [InlineData("log.example/nix\n700\n" + Root, false)]
    [InlineData("log.example/nix\n700\n" + Root + "\nextension\n", false)]
    [InlineData("log example\n700\n" + Root + "\n", false)]
    [InlineData("log+example\n700\n" + Root + "\n", false)]
    [InlineData("\n700\n" + Root + "\n", false)]
    [InlineData("log.example/nix\n700\n9Zy6\n", false)]
    public void A_checkpoint_is_three_lines(string text, bool isCheckpoint)
    {
        Assert.Equal(isCheckpoint, Checkpoint.TryParse(text, out var checkpoint));
        Assert.Equal(isCheckpoint ? text : null, checkpoint?.ToString());
    }

    [Fact]
    public void A_verifier_key_is_refused_for_its_own_reason()
    {
        var good = VerifierKey.OfLog("a.example", new LogSigner(new byte[32]).Key).ToString();
        var (name, id, key) = (good.Split('+')[0], good.Split('+')[1], good.Split('+', 3)[2]);

        Expect(VerifierKeyError.None, good);
        Expect(VerifierKeyError.Form, $"{name}+{id}");
        Expect(VerifierKeyError.Form, $"{name}+{id.ToUpperInvariant()}+{key}");
        Expect(VerifierKeyError.Form, $"{name}+{id}+{key} ");
        Expect(VerifierKeyError.Form, $"{name}+{id}+{key.TrimEnd('=')}x");
        Expect(VerifierKeyError.Form, new string('a', 5000) + good);
        Expect(VerifierKeyError.Name, $" {name}+{id}+{key}");
        Expect(VerifierKeyError.Name, $"+{id}+{key}");
        Expect(VerifierKeyError.KeyId, $"b.example+{id}+{key}");
        Expect(VerifierKeyError.KeyId, $"{name}+00000000+{key}");
        Expect(VerifierKeyError.Algorithm, $"{name}+{id}+{Convert.ToBase64String([2, .. new byte[32]])}");
        Expect(VerifierKeyError.KeySize, $"{name}+{id}+{Convert.ToBase64String([1, .. new byte[31]])}");
        Expect(VerifierKeyError.KeySize, $"{name}+{id}+{Convert.ToBase64String([6, .. new byte[32]])}");
        Expect(VerifierKeyError.WeakKey, $"{name}+{id}+{Convert.ToBase64String([1, .. new byte[32]])}");
        Expect(VerifierKeyError.WeakKey, $"{name}+{id}+{Convert.ToBase64String([4, 1, .. new byte[31]])}");
    }

    [Fact]
    public void A_signature_of_a_known_key_that_fails_is_not_the_same_as_none()
    {
        var signer = new CheckpointSigner("a.example", new LogSigner(new byte[32]));
        var note = signer.Sign(0, MerkleHash.EmptyLog);
        var other = new CheckpointSigner("a.example", new LogSigner([.. Enumerable.Repeat((byte)1, 32)]));
        var forged = note.Signatures[0] with { Bytes = new byte[64] };

        Assert.Equal(SignatureCheck.Valid, note.Check(signer.Key));
        Assert.Equal(SignatureCheck.Missing, note.Check(other.Key));
        Assert.Equal(SignatureCheck.Invalid, SignedNote.Of(note.Text, forged).Check(signer.Key));
        Assert.Equal(SignatureCheck.Invalid, note.With(forged).Check(signer.Key));
        Assert.Equal(SignatureCheck.Invalid, SignedNote.Of(note.Text + "x\n", note.Signatures).Check(signer.Key));
    }

    [Fact]
    public void A_cosignature_covers_its_time_and_the_text()
    {
        var witness = new TestWitness("w", 7);
        var note = new CheckpointSigner("a.example", new LogSigner(new byte[32])).Sign(0, MerkleHash.EmptyLog);
        var line = witness.Cosign(note, 1000);
        var later = line.Bytes.ToArray();
        later[7]++;

        Assert.Equal(SignatureCheck.Valid, Cosignature.Check(note.With(line), witness.Key, out var time));
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1000), time);
        Assert.Equal(SignatureCheck.Missing, Cosignature.Check(note, witness.Key, out _));
        Assert.Equal(SignatureCheck.Invalid, Cosignature.Check(note.With(line with { Bytes = later }), witness.Key, out _));
        Assert.Equal(SignatureCheck.Invalid, Cosignature.Check(note.With(line with { Bytes = later.AsMemory(0, 7) }), witness.Key, out _));
        Assert.Equal(SignatureCheck.Invalid, Cosignature.Check(SignedNote.Of("b\n", line), witness.Key, out _));
        Assert.Equal(SignatureCheck.Invalid, Cosignature.Check(note.With(line, line with { Bytes = later }), witness.Key, out _));
        Assert.Equal(SignatureCheck.Valid, Cosignature.Check(note.With(witness.Cosign(note, long.MaxValue), line), witness.Key, out time));
        Assert.Equal(DateTimeOffset.MaxValue, time);
    }

    [Theory]
    [InlineData("700\n", 700L)]
    [InlineData("0\n", 0L)]
    [InlineData("9223372036854775807\n", long.MaxValue)]
    [InlineData("9223372036854775808\n", null)]
    [InlineData("700", null)]
    [InlineData("0700\n", null)]
    [InlineData(" 700\n", null)]
    [InlineData("\n", null)]
    public void The_size_that_a_witness_knows_is_one_line(string text, long? expected) =>
        Assert.Equal(expected, CheckpointRequest.TryReadSize(Encoding.UTF8.GetBytes(text), out var size) ? size : null);

    [Fact]
    public void A_request_and_a_proof_have_at_most_63_hashes()
    {
        var note = new CheckpointSigner("a.example", new LogSigner(new byte[32])).Sign(0, MerkleHash.EmptyLog);
        foreach (var (count, isRead) in new[] { (0, true), (63, true), (64, false) })
        {
            var hashes = Enumerable.Repeat(MerkleHash.EmptyLog, count);
            Assert.Equal(isRead, CheckpointRequest.TryParse(new CheckpointRequest(7, [.. hashes], note).ToBytes(), out _));
            Assert.Equal(isRead, TlogProof.TryParse(new TlogProof(null, 7, [.. hashes], note).ToBytes(), out _));
        }
    }

    [Fact]
    public void A_bundle_has_as_many_entries_as_its_path_says()
    {
        var bytes = EntryBundle.Encode([new byte[3], Array.Empty<byte>(), new byte[EntryBundle.MaxEntry]]);

        Assert.True(EntryBundle.TryRead(bytes, 3, out var entries));
        Assert.Equal([3, 0, 65535], entries.Select(entry => entry.Length));
        Assert.False(EntryBundle.TryRead(bytes, 2, out _));
        Assert.False(EntryBundle.TryRead(bytes, 4, out _));
        Assert.False(EntryBundle.TryRead(bytes.AsMemory()[..^1], 3, out _));
        Assert.False(EntryBundle.TryRead(Array.Empty<byte>(), 0, out _));
        Assert.False(EntryBundle.TryRead(new byte[2 * 257], 257, out _));
        Assert.Throws<ArgumentException>(() => EntryBundle.Encode([new byte[EntryBundle.MaxEntry + 1]]));
    }

    private static void Expect(VerifierKeyError expected, string text)
    {
        Assert.Equal(expected is VerifierKeyError.None, VerifierKey.TryParse(text, out _, out var error));
        Assert.Equal((text, expected), (text, error));
    }
}
