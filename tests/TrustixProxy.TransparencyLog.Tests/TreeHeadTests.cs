using Google.Protobuf;
using TrustixProxy.Testing;

namespace TrustixProxy.TransparencyLog.Tests;

/// <summary>Signed tree heads and log ids of a running reference daemon, and tampered heads.</summary>
public sealed class TreeHeadTests
{
    private static readonly System.Text.Json.JsonElement Recorded = Vectors.Load("sth");

    [Fact]
    public void Recorded_heads_are_read_verified_and_signed_again_to_the_byte()
    {
        var signer = new LogSigner(Recorded.Hex("seed"));
        Assert.Equal(Recorded.Text("pubkey_b64"), signer.Key.ToString());
        Assert.Equal(Recorded.Text("log_id"), signer.Key.LogId);
        foreach (var vector in Recorded.All("heads"))
        {
            Assert.True(WireMessage.TryParse(Wire.LogHead.Parser, vector.Hex("raw"), out var message));
            Assert.True(SignedTreeHead.TryRead(message, out var head, out _));
            Assert.True(signer.Key.TryVerify(head, out var verified, out _));

            Assert.Equal(vector.Hex("signed_digest"), verified.Content.SigningDigest());
            Assert.Equal(vector.Hex("raw"), verified.ToMessage().ToByteArray());
            Assert.Equal(vector.Hex("raw"), signer.Sign(verified.Content).ToMessage().ToByteArray());
        }
    }

    [Fact]
    public void Tampered_heads_are_refused()
    {
        var vectors = Recorded.All("tampered").ToList();
        Assert.Equal(51, vectors.Count);
        foreach (var vector in vectors)
        {
            var message = new Wire.LogHead
            {
                LogRoot = ByteString.CopyFrom(vector.Hex("log_root")),
                TreeSize = (ulong)vector.Number("tree_size"),
                MapRoot = ByteString.CopyFrom(vector.Hex("map_root")),
                MHRoot = ByteString.CopyFrom(vector.Hex("mh_root")),
                MHTreeSize = (ulong)vector.Number("mh_tree_size"),
                Signature = ByteString.CopyFrom(vector.Hex("signature")),
            };

            var good = SignedTreeHead.TryRead(message, out var head, out _) && KeyOf(vector.Hex("pubkey")).TryVerify(head, out _, out _);

            Assert.False(good, vector.Note());
        }
    }

    [Fact]
    public void A_heads_map_root_is_shown_to_be_the_last_leaf_of_its_map_head_log_and_another_root_is_not()
    {
        var log = new MemoryLog();
        for (byte i = 0; i < 20; i++)
        {
            var (head, proof) = (log.Head, log.MapRootProof(log.Head.Content.MapHeadSize));
            var other = log.Signer.Sign(head.Content with { MapRoot = Digest.Of([i]) });

            Assert.Null(head.MapRootProof);
            Assert.True(head.TryShowMapRoot(proof, out var shown, out _));
            Assert.Equal(proof, shown.MapRootProof!.Value);
            Assert.Equal(head.ToMessage(), shown.ToMessage());
            Assert.False(other.TryShowMapRoot(proof, out _, out var error));
            Assert.Equal(ProofError.Root, error);
            Assert.False(head.TryShowMapRoot([.. proof, default], out _, out error));
            Assert.Equal(ProofError.Length, error);
            log.Add([i], [i]);
        }

        Assert.True(log.Head.TryShowMapRoot(log.MapRootProof(21), out _, out _));
        Assert.False(log.Head.TryShowMapRoot(log.MapRootProof(20), out _, out _));
    }

    [Fact]
    public void No_bit_of_a_head_can_be_flipped()
    {
        var bytes = Recorded.All("heads").Last().Hex("raw");
        var key = KeyOf(Recorded.Hex("pubkey"));
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var changed = (byte[])bytes.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));

            Assert.False(
                WireMessage.TryParse(Wire.LogHead.Parser, changed, out var message)
                && SignedTreeHead.TryRead(message, out var head, out _)
                && key.TryVerify(head, out _, out _),
                $"bit {bit}");
        }
    }

    [Theory]
    [InlineData(TreeHeadError.RootSize)]
    [InlineData(TreeHeadError.Sizes)]
    [InlineData(TreeHeadError.SignatureSize)]
    public void Each_fault_of_the_form_is_refused_for_its_own_reason(TreeHeadError expected)
    {
        var message = Wire.LogHead.Parser.ParseFrom(Recorded.All("heads").Last().Hex("raw"));
        switch (expected)
        {
            case TreeHeadError.RootSize: message.MHRoot = ByteString.CopyFrom(new byte[31]); break;
            case TreeHeadError.Sizes: message.TreeSize = ulong.MaxValue; break;
            default: message.Signature = ByteString.Empty; break;
        }

        Assert.False(SignedTreeHead.TryRead(message, out _, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void An_empty_log_has_no_other_roots_than_the_empty_ones()
    {
        var message = Wire.LogHead.Parser.ParseFrom(Recorded.All("heads").First().Hex("raw"));
        Assert.Equal(0UL, message.TreeSize);
        message.MapRoot = ByteString.CopyFrom(Enumerable.Repeat((byte)1, 32).ToArray());

        Assert.False(SignedTreeHead.TryRead(message, out _, out var error));
        Assert.Equal(TreeHeadError.Sizes, error);
    }

    [Fact]
    public void Log_ids_are_those_of_the_reference()
    {
        var vectors = Vectors.Load("log-id").All("ids").ToList();
        Assert.Equal(20, vectors.Count);
        foreach (var vector in vectors)
        {
            Assert.Equal(vector.Text("log_id"), LogKey.MakeLogId(vector.Text("protocol_id"), vector.Hex("pubkey")));
        }
    }

    private static LogKey KeyOf(byte[] bytes) =>
        LogKey.TryParse(Convert.ToBase64String(bytes), out var key, out var error) ? key : throw new ArgumentException($"{error}");
}
