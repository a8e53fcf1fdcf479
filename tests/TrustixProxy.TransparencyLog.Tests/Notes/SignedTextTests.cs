using System.Buffers.Binary;
using System.Text;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.TransparencyLog.Tests.Notes;

/// <summary>One key may sign texts of several kinds: no text of one kind passes for another, whatever its contents.</summary>
public sealed class SignedTextTests
{
    /// <summary>The kinds, each with what a verifier of it accepts: texts of this form only.</summary>
    private static readonly Dictionary<string, Func<byte[], bool>> Kinds = new()
    {
        ["head of Trustix"] = text => text.Length is Digest.Size,
        ["conflict"] = text => text.Length > 100 && Encoding.ASCII.GetString(text)
            .StartsWith("trustix-proxy conflict v1\n", StringComparison.Ordinal),
        ["checkpoint"] = text => Checkpoint.TryParse(Encoding.UTF8.GetString(text), out _),
        ["cosignature"] = text => TryFindCheckpoint(text, out var rest) && Checkpoint.TryParse(rest, out _),
        ["leaf of Sigsum"] = text => text.Length is 24 + 32 && text.AsSpan().StartsWith("sigsum.org/v1/tree-leaf\0"u8),
        ["fingerprint"] = text => text.AsSpan().StartsWith("1;/"u8) && !text.Contains((byte)'\n'),
        ["token of the reference"] = text => !text.Contains((byte)'\n') && Encoding.UTF8.GetString(text)
            .Split(':', 2) is [_, ['/', ..]],
        ["token"] = text => Encoding.UTF8.GetString(text) is var token && token.Split('\n').Length is 6
            && token.StartsWith("trustix-proxy token v1\n", StringComparison.Ordinal),
    };

    [Fact]
    public void A_text_of_one_kind_is_a_text_of_no_other()
    {
        var random = new Random(19);
        for (var round = 0; round < 500; round++)
        {
            foreach (var (kind, text) in Texts(random))
            {
                Assert.Equal([kind], Kinds.Where(other => other.Value(text)).Select(other => other.Key));
            }
        }
    }

    [Fact]
    public void A_signature_of_one_kind_verifies_as_no_other()
    {
        var signer = new LogSigner(new byte[32]);
        var head = new TreeHead(Digest.Of("log"u8), 5, Digest.Of("map"u8), Digest.Of("maps"u8), 6);
        var conflict = new ConflictRecord("key"u8.ToArray(), 1, Digest.Of("a"u8), Digest.Of("b"u8), 7);
        var checkpoints = new CheckpointSigner("a.example", signer);
        var note = checkpoints.Sign(head.TreeSize, head.LogRoot);
        var signatures = new Dictionary<string, byte[]>
        {
            ["head"] = signer.Sign(head).ToMessage().Signature.ToByteArray(),
            ["conflict"] = signer.Sign(conflict),
            ["checkpoint"] = note.Signatures[0].Bytes.ToArray(),
            ["map-head checkpoint"] = new CheckpointSigner("a.example/mapheads", signer).Sign(head.TreeSize, head.LogRoot).Signatures[0]
                .Bytes.ToArray(),
        };

        foreach (var (kind, signature) in signatures)
        {
            var message = signer.Sign(head).ToMessage();
            message.Signature = Google.Protobuf.ByteString.CopyFrom(signature);
            Assert.True(SignedTreeHead.TryRead(message, out var read, out _));
            Assert.Equal(kind is "head", signer.Key.TryVerify(read, out _, out _));
            Assert.Equal(kind is "conflict", signer.Key.Verify(conflict, signature));
            Assert.Equal(kind is "checkpoint" ? SignatureCheck.Valid : SignatureCheck.Invalid, SignedNote.Of(
                note.Text, note.Signatures[0] with { Bytes = signature }).Check(checkpoints.Key));
        }
    }

    [Fact]
    public void A_logs_key_is_no_witnesss_key_and_a_witnesss_is_no_logs()
    {
        var witness = new TestWitness("w", 3);
        var asLog = VerifierKey.OfLog(witness.Key.Name, KeyOf(witness));
        var note = SignedNote.Of("a.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
        var line = witness.Cosign(note, 5);

        var plain = new Native.Ed25519SigningKey([.. Enumerable.Repeat((byte)3, 32)]).Sign(Encoding.UTF8.GetBytes(note.Text));

        Assert.NotEqual(asLog.KeyId, witness.Key.KeyId);
        Assert.Equal(SignatureCheck.Invalid, note.With(line with { Bytes = plain }).Check(witness.Key));
        Assert.Equal(SignatureCheck.Invalid, note.With(line).Check(witness.Key));
        Assert.Equal(SignatureCheck.Invalid, note.With(line with { KeyId = asLog.KeyId }).Check(asLog));
        Assert.Equal(SignatureCheck.Invalid, Cosignature.Check(note.With(line with { KeyId = asLog.KeyId }), asLog, out _));
    }

    /// <summary>One text of each kind, with the contents that come nearest to another kind.</summary>
    private static IEnumerable<(string Kind, byte[] Text)> Texts(Random random)
    {
        string[] origins = ["a", "cosignature/v1", "trustix-proxy", "1;/nix/store/x", "sigsum.org/v1/tree-leaf", "time", "x:/a.B/C"];
        var digest = new byte[32];
        random.NextBytes(digest);
        var (size, time) = (random.NextInt64(1, 1 << 20), random.NextInt64());
        var checkpoint = new Checkpoint(origins[random.Next(origins.Length)], size, new Digest(digest)).ToString();
        var numbers = new byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(numbers, size);
        var id = LogKey.MakeLogId(LogKey.NixProtocol, digest);
        yield return ("head of Trustix", new TreeHead(new Digest(digest), size, default, default, 1).SigningDigest());
        yield return ("conflict", [.. Encoding.ASCII.GetBytes($"trustix-proxy conflict v1\n{id}"), .. numbers, .. digest, .. digest,
            .. Encoding.UTF8.GetBytes(random.Next(2) is 0 ? checkpoint : "/nix/store/x")]);
        yield return ("checkpoint", Encoding.UTF8.GetBytes(checkpoint));
        yield return ("cosignature", Cosignature.SigningText(checkpoint, time));
        yield return ("leaf of Sigsum", [.. "sigsum.org/v1/tree-leaf\0"u8, .. digest]);
        yield return ("fingerprint",
            Encoding.ASCII.GetBytes($"1;/nix/store/{id[..32]}-x;sha256:{id[..52]};{size};/nix/store/{id[..32]}-y"));
        yield return ("token of the reference", Encoding.ASCII.GetBytes("peer:/trustix_rpc.v1.LogRPC/Submit"));
        yield return ("token", Encoding.ASCII.GetBytes(
            $"trustix-proxy token v1\npeer\n/a.B/C\n{time}\n{Convert.ToBase64String(numbers)}\n{Convert.ToBase64String(digest)}"));
    }

    private static bool TryFindCheckpoint(byte[] text, out string rest)
    {
        var lines = Encoding.UTF8.GetString(text).Split('\n', 3);
        rest = lines[^1];
        return lines is ["cosignature/v1", ['t', 'i', 'm', 'e', ' ', .. var time], _] && long.TryParse(time, out _);
    }

    private static LogKey KeyOf(TestWitness witness) =>
        Native.Ed25519PublicKey.TryImport(witness.Key.Bytes, out var key, out _) ? new LogKey(key) : throw new InvalidOperationException();
}
