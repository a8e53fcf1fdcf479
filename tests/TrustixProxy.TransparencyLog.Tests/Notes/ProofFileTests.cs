using System.Text;
using TrustixProxy.Native;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;
using static TrustixProxy.TransparencyLog.Tests.Notes.NoteVectors;

namespace TrustixProxy.TransparencyLog.Tests.Notes;

/// <summary>Proof files of both dialects over a log of many sizes: what is true is accepted, and each part, changed, is refused.</summary>
public sealed class ProofFileTests
{
    private static readonly Ed25519SigningKey LogSecret = new([.. Enumerable.Repeat((byte)21, 32)]);
    private static readonly Ed25519SigningKey Submitter = new([.. Enumerable.Repeat((byte)22, 32)]);
    private static readonly VerifierKey Log = SigsumLog.KeyOf(LogSecret.PublicKey);
    private static readonly TestWitness Witness = new("w1", 1);
    private static readonly WitnessPolicy Trusted = Policy($"log {Log}\n{Witness.Line}quorum w1\n");

    [Fact]
    public void Every_entry_of_logs_of_all_sizes_up_to_40_is_proven_and_read_again()
    {
        for (var size = 1; size <= 40; size++)
        {
            for (var index = 0; index < size; index++)
            {
                var proof = Proof(index, size);

                Assert.IsType<CheckpointVerdict.Witnessed>(proof.Verify(Entry(index), Trusted, RecordedAt));
                Assert.Equal(Refused(CheckpointError.Inclusion), proof.Verify(Entry(index + 1), Trusted, RecordedAt));
                Assert.True(TlogProof.TryParse(proof.ToBytes(), out var again));
                Assert.Equal(proof.ToBytes(), again.ToBytes());
                var sigsum = Sigsum(index, size);
                Assert.True(SigsumProof.TryParse(sigsum.ToBytes(), out var read));
                Assert.Equal(sigsum.ToBytes(), read.ToBytes());
                Assert.IsType<CheckpointVerdict.Witnessed>(
                    read.Verify(Entry(index), [new SigsumKey(Submitter.PublicKey)], Trusted, RecordedAt));
            }
        }
    }

    [Fact]
    public void A_proof_under_an_unknown_log_or_without_its_witnesses_is_not_accepted()
    {
        var proof = Proof(3, 7);
        var others = Policy($"log {VerifierKey.OfLog("other.example", new LogKey(LogSecret.PublicKey))}\n{Witness.Line}quorum w1\n");
        var forged = proof.Checkpoint.Signatures[0] with { Bytes = new byte[64] };
        var text = proof.Checkpoint.Text;

        Assert.Equal(Refused(CheckpointError.Origin), proof.Verify(Entry(3), others, RecordedAt));
        Assert.Equal(Refused(CheckpointError.LogSignature),
            (proof with { Checkpoint = SignedNote.Of(text, forged, proof.Checkpoint.Signatures[1]) }).Verify(
                Entry(3), Trusted, RecordedAt));
        Assert.Equal(Refused(CheckpointError.Form),
            (proof with { Checkpoint = SignedNote.Of("x\n", forged) }).Verify(Entry(3), Trusted, RecordedAt));
        Assert.IsType<CheckpointVerdict.Unwitnessed>(
            (proof with { Checkpoint = SignedNote.Of(text, proof.Checkpoint.Signatures[0]) }).Verify(Entry(3), Trusted, RecordedAt));
        Assert.Equal(Refused(CheckpointError.WitnessSignature), (proof with
        {
            Checkpoint = SignedNote.Of(text, proof.Checkpoint.Signatures[0], proof.Checkpoint.Signatures[1] with { Bytes = new byte[72] }),
        }).Verify(Entry(3), Trusted, RecordedAt));
    }

    [Theory]
    [InlineData("c2sp.org/tlog-proof@v1\n", "")]
    [InlineData("@v1", "@v2")]
    [InlineData("index 3", "index 03")]
    [InlineData("index 3", "extra \nindex 3")]
    [InlineData("index 3", "extra QQ\nindex 3")]
    [InlineData("index 3", "extra QQ==\nextra QQ==\nindex 3")]
    [InlineData("index 3\n", "index 3\n\n")]
    [InlineData("index 3\n", "")]
    public void A_proof_file_of_another_form_is_refused(string old, string changed)
    {
        var text = Encoding.UTF8.GetString(Proof(3, 7).ToBytes());
        Assert.Contains(old, text, StringComparison.Ordinal);

        Assert.False(TlogProof.TryParse(Encoding.UTF8.GetBytes(text.Replace(old, changed, StringComparison.Ordinal)), out _));
    }

    [Fact]
    public void Extra_data_is_carried_and_proves_nothing()
    {
        var proof = Proof(3, 7) with { Extra = Entry(3) };
        Assert.True(TlogProof.TryParse(proof.ToBytes(), out var read));

        Assert.Equal(Entry(3), read.Extra!.Value.ToArray());
        Assert.IsType<CheckpointVerdict.Witnessed>(read.Verify(Entry(3), Trusted, RecordedAt));
        Assert.Equal(Refused(CheckpointError.Inclusion), read.Verify(Entry(4), Trusted, RecordedAt));
    }

    [Theory]
    [InlineData("version=2", "version=1")]
    [InlineData("size=7", "size=07")]
    [InlineData("size=7", "size=0")]
    [InlineData("size=7", "size=1")]
    [InlineData("leaf_index=3", "leaf_index=-3")]
    [InlineData("\n\nleaf_index", "\nleaf_index")]
    [InlineData("root_hash=", "root_hash=A")]
    [InlineData("node_hash", "hash")]
    public void A_proof_of_Sigsum_of_another_form_is_refused(string old, string changed)
    {
        var text = Encoding.UTF8.GetString(Sigsum(3, 7).ToBytes());
        Assert.Contains(old, text, StringComparison.Ordinal);

        Assert.False(SigsumProof.TryParse(Encoding.UTF8.GetBytes(text.Replace(old, changed, StringComparison.Ordinal)), out _));
        Assert.False(SigsumProof.TryParse(Encoding.UTF8.GetBytes(text.ToUpperInvariant()), out _));
        Assert.False(SigsumProof.TryParse(Encoding.UTF8.GetBytes(text + "\n"), out _));
        Assert.False(SigsumProof.TryParse(Encoding.UTF8.GetBytes(text + "node_hash=00\n"), out _));
    }

    [Fact]
    public void A_proof_of_Sigsum_is_refused_for_each_part_that_another_signed()
    {
        var proof = Sigsum(3, 7);
        SigsumKey[] submitters = [new SigsumKey(Submitter.PublicKey)];
        var unwitnessed = (proof with { Cosignatures = [] }).Verify(Entry(3), submitters, Trusted, RecordedAt);

        Assert.Equal(Refused(CheckpointError.LeafSignature), proof.Verify(Entry(4), submitters, Trusted, RecordedAt));
        Assert.Equal(Refused(CheckpointError.LeafSignature), proof.Verify(Entry(3), [], Trusted, RecordedAt));
        Assert.Equal(Refused(CheckpointError.Origin),
            proof.Verify(Entry(3), submitters, Policy($"{Witness.Line}quorum w1\n"), RecordedAt));
        Assert.Equal(Refused(CheckpointError.LogSignature),
            (proof with { LogSignature = new byte[64] }).Verify(Entry(3), submitters, Trusted, RecordedAt));
        Assert.Equal(Refused(CheckpointError.Inclusion), (proof with { Index = 2 }).Verify(Entry(3), submitters, Trusted, RecordedAt));
        Assert.Equal(Refused(CheckpointError.WitnessSignature), (proof with
        {
            Cosignatures = [proof.Cosignatures[0] with { Signature = new byte[72] }],
        }).Verify(Entry(3), submitters, Trusted, RecordedAt));
        Assert.Equal(UnwitnessedReason.Quorum, Assert.IsType<CheckpointVerdict.Unwitnessed>(unwitnessed).Reason);
    }

    private static byte[] Entry(int index) => Encoding.ASCII.GetBytes($"1;/nix/store/{index}");

    private static TlogProof Proof(int index, int size)
    {
        var leaves = Enumerable.Range(0, size).Select(i => MerkleHash.Leaf(Entry(i))).ToArray();
        var note = new CheckpointSigner(Log.Name, new LogSigner(LogSecret)).Sign(size, SlowReference.LogRoot(leaves));
        return new TlogProof(
            null, index, [.. SlowReference.Path(index, leaves)], note.With(Witness.Cosign(note, RecordedAt)));
    }

    private static SigsumProof Sigsum(int index, int size)
    {
        var signatures = Enumerable.Range(0, size)
            .Select(i => Submitter.Sign([.. "sigsum.org/v1/tree-leaf\0"u8, .. Checksum(i)])).ToArray();
        var submitter = Digest.Of(Submitter.PublicKey.Bytes);
        var leaves = Enumerable.Range(0, size)
            .Select(i => MerkleHash.Leaf([.. Checksum(i), .. signatures[i], .. submitter.ToArray()])).ToArray();
        var note = new CheckpointSigner(Log.Name, new LogSigner(LogSecret)).Sign(size, SlowReference.LogRoot(leaves));
        var cosignature = new SigsumCosignature(
            Digest.Of(Witness.Key.Bytes), Witness.Sign(note.Text, RecordedAt.ToUnixTimeSeconds()));
        return new SigsumProof(
            Digest.Of(Log.Bytes), submitter, signatures[index], new Checkpoint(Log.Name, size, SlowReference.LogRoot(leaves)),
            note.Signatures[0].Bytes, [cosignature], index, [.. SlowReference.Path(index, leaves)]);
    }

    private static byte[] Checksum(int index) => Digest.Of(Digest.Of(Entry(index)).ToArray()).ToArray();

    private static CheckpointVerdict.Refused Refused(CheckpointError error) => new(error);
}
