using System.Text.Json;
using Google.Protobuf;
using TrustixProxy.Testing;

namespace TrustixProxy.TransparencyLog.Tests;

/// <summary>Proofs of the map of a running reference daemon, tampered ones, and proofs of absence by the same library.</summary>
public sealed class MapProofTests
{
    private static readonly LogSigner Signer = new(new byte[32]);

    [Theory]
    [InlineData("proofs", 48)]
    [InlineData("tampered", 76)]
    [InlineData("non_membership", 52)]
    public void Proofs_are_judged_as_recorded(string member, int count)
    {
        var vectors = Vectors.Load("smt").All(member).ToList();
        Assert.Equal(count, vectors.Count);
        foreach (var vector in vectors)
        {
            var good = Verify(vector);

            Assert.True(vector.Valid() is null || vector.Valid() == good, vector.Note());
        }
    }

    [Fact]
    public void A_proof_is_written_as_it_was_read()
    {
        foreach (var vector in Vectors.Load("smt").All("proofs"))
        {
            var bytes = vector.Hex("raw_response");
            Assert.True(WireMessage.TryParse(Wire.MapValueResponse.Parser, bytes, out var response));
            Assert.True(MapProof.TryRead(response.Proof, out var proof, out _));

            Assert.Equal(bytes, new Wire.MapValueResponse { Value = response.Value, Proof = proof.ToMessage() }.ToByteArray());
        }
    }

    [Fact]
    public void No_bit_of_a_proof_can_be_flipped()
    {
        var vector = Vectors.Load("smt").All("proofs").Last();
        var message = Message(vector.GetProperty("proof"));
        Assert.True(Verify(vector));

        var bytes = message.ToByteArray();
        var reparsed = 0;
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            if (WireMessage.TryParse(Wire.SparseCompactMerkleProof.Parser, bytes, out var changed))
            {
                Assert.False(Verify(vector, changed), $"bit {bit}");
                reparsed++;
            }

            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Assert.True(reparsed > 1000);
    }

    [Theory]
    [InlineData(MapProofError.TooDeep)]
    [InlineData(MapProofError.SideNodeSize)]
    [InlineData(MapProofError.BitMaskLength)]
    [InlineData(MapProofError.BitMaskPadding)]
    [InlineData(MapProofError.SideNodeCount)]
    [InlineData(MapProofError.SideNodePlaceholder)]
    [InlineData(MapProofError.OtherLeaf)]
    public void Each_fault_of_the_encoding_is_refused_for_its_own_reason(MapProofError expected)
    {
        var vector = Vectors.Load("smt").All("proofs")
            .First(vector => vector.GetProperty("proof").Number("num_side_nodes") is > 2 and not 8 and not 16);
        var message = Message(vector.GetProperty("proof"));
        switch (expected)
        {
            case MapProofError.TooDeep: message.NumSideNodes = 257; break;
            case MapProofError.SideNodeSize: message.SideNodes[0] = ByteString.CopyFrom(new byte[31]); break;
            case MapProofError.BitMaskLength: message.BitMask = ByteString.CopyFrom([.. message.BitMask.Span, 0]); break;
            case MapProofError.BitMaskPadding:
                message.BitMask = ByteString.CopyFrom(
                [.. message.BitMask.Span[..^1], (byte)(message.BitMask[^1] | 1)]); break;
            case MapProofError.SideNodeCount: message.SideNodes.Add(message.SideNodes[0]); break;
            case MapProofError.SideNodePlaceholder: message.SideNodes[0] = ByteString.CopyFrom(new byte[32]); break;
            default: message.NonMembershipLeafData = ByteString.CopyFrom(new byte[64]); break;
        }

        Assert.False(MapProof.TryRead(message, out _, out var error));
        Assert.Equal(expected, error);
    }

    [Fact]
    public void An_answer_without_a_proof_is_refused()
    {
        Assert.False(MapProof.TryRead(new Wire.MapValueResponse().Proof, out _, out var error));
        Assert.Equal(MapProofError.Missing, error);
    }

    [Fact]
    public void The_leaf_of_the_key_itself_and_a_leaf_off_its_way_show_no_absence()
    {
        var (key, value) = ("key"u8.ToArray(), new MapEntry(Digest.Of([1]), 0).ToBytes());
        var leaf = MerkleHash.MapLeaf(Digest.Of(key), Digest.Of(value));
        var own = new MapProof([], (Digest.Of(key), Digest.Of(value)));
        var sibling = Digest.Of([2]);
        var offWay = Digest.Of(key).ToArray();
        offWay[0] ^= 0x80;
        var root = Digest.Of(key).Bit(0) ? MerkleHash.Node(sibling, MerkleHash.MapLeaf(new Digest(offWay), default))
            : MerkleHash.Node(MerkleHash.MapLeaf(new Digest(offWay), default), sibling);

        Assert.False(own.TryVerify(Head(leaf), key, [], out _, out var error));
        Assert.Equal(MapProofError.OtherLeafPath, error);
        Assert.False(new MapProof([sibling], (new Digest(offWay), default)).TryVerify(Head(root), key, [], out _, out error));
        Assert.Equal(MapProofError.OtherLeafPath, error);
    }

    [Fact]
    public void An_entry_whose_leaf_the_log_does_not_have_is_refused()
    {
        var (key, value) = ("key"u8.ToArray(), new MapEntry(Digest.Of([1]), 1000).ToBytes());

        Assert.False(
            new MapProof([], null).TryVerify(Head(MerkleHash.MapLeaf(Digest.Of(key), Digest.Of(value))), key, value, out _, out var error));
        Assert.Equal(MapProofError.Index, error);
    }

    [Theory]
    [InlineData("""{"Digest":"0dlszsBZph5+R48WNN9o3eo5t51EWB5dIqz50chIs3g=","Index":0}""", true)]
    [InlineData("""{"Digest":"0dlszsBZph5+R48WNN9o3eo5t51EWB5dIqz50chIs3g=","Index":9223372036854775807}""", true)]
    [InlineData("""{"Digest":"0dlszsBZph5+R48WNN9o3eo5t51EWB5dIqz50chIs3g=","Index":9223372036854775808}""", false)]
    [InlineData("""{"Digest":"0dlszsBZph5+R48WNN9o3eo5t51EWB5dIqz50chIs3g=","Index":-1}""", false)]
    [InlineData("""{"Digest":"0dlszsBZph5+R48WNN9o3eo5t51EWB5dIqz50chIs3g=","Index":00}""", false)]
    [InlineData("""{"Digest":"0dlszsBZph5+R48WNN9o3eo5t51EWB5dIqz50chIs3h=","Index":0}""", false)]
    [InlineData("""{"Index":0,"Digest":"0dlszsBZph5+R48WNN9o3eo5t51EWB5dIqz50chIs3g="}""", false)]
    [InlineData("""{"digest":"0dlszsBZph5+R48WNN9o3eo5t51EWB5dIqz50chIs3g=","Index":0}""", false)]
    [InlineData("""{"Digest":"0dlszsBZph5+R48WNN9o3eo5t51EWB5dIqz50chIs3g=","Index":0} """, false)]
    [InlineData("", false)]
    public void A_map_entry_has_one_spelling(string text, bool good) =>
        Assert.Equal(good, MapEntry.TryParse(System.Text.Encoding.UTF8.GetBytes(text), out _));

    private static bool Verify(JsonElement vector) => Verify(vector, Message(vector.GetProperty("proof")));

    private static bool Verify(JsonElement vector, Wire.SparseCompactMerkleProof message) =>
        MapProof.TryRead(message, out var proof, out _)
        && proof.TryVerify(Head(vector.Digest("map_root")), vector.Hex("key"), vector.Hex("value"), out var proven, out _)
        && proven.Entry is null == (vector.Text("value").Length is 0);

    private static VerifiedTreeHead Head(Digest mapRoot) => Signer.Sign(new TreeHead(default, 1000, mapRoot, default, 1));

    private static Wire.SparseCompactMerkleProof Message(JsonElement proof)
    {
        var message = new Wire.SparseCompactMerkleProof
        {
            NumSideNodes = (ulong)proof.Number("num_side_nodes"),
            BitMask = ByteString.CopyFrom(proof.Hex("bit_mask"))
        };
        message.SideNodes.AddRange(proof.All("side_nodes").Select(node => ByteString.CopyFrom(Convert.FromHexString(node.GetString()!))));
        if (proof.GetProperty("non_membership_leaf_data").ValueKind is JsonValueKind.String)
        {
            message.NonMembershipLeafData = ByteString.CopyFrom(proof.Hex("non_membership_leaf_data"));
        }

        return message;
    }
}
