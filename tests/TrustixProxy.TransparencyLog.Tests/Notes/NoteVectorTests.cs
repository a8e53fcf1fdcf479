using System.Text;
using TrustixProxy.TransparencyLog.Notes;
using static TrustixProxy.TransparencyLog.Tests.Notes.NoteVectors;

namespace TrustixProxy.TransparencyLog.Tests.Notes;

/// <summary>What real witnesses and tools wrote is read, verified and written again bit for bit.</summary>
public sealed class NoteVectorTests
{
    [Theory]
    [InlineData("c2sp/checkpoint.cosigned", "c2sp/policy.tlog-policy")]
    [InlineData("c2sp/checkpoint-mapheads.cosigned", "c2sp/policy-mapheads.tlog-policy")]
    public void A_recorded_checkpoint_has_its_logs_and_its_three_witnesses_signatures(string file, string policyFile)
    {
        var (note, policy) = (Note(file), Policy(Text(policyFile)));

        Assert.Equal(Bytes(file), note.ToBytes());
        Assert.Equal(SignatureCheck.Valid, note.Check(policy.Logs.Single().Key));
        Assert.True(Checkpoint.TryRead(note, out var checkpoint));
        Assert.Equal(note.Text, checkpoint.ToString());
        foreach (var witness in policy.Witnesses)
        {
            Assert.Equal(SignatureCheck.Valid, Cosignature.Check(note, witness.Key, out var time));
            Assert.Equal(RecordedAt, time);
        }
    }

    [Fact]
    public void The_recorded_head_and_its_checkpoints_say_the_same()
    {
        Assert.True(WireMessage.TryParse(Wire.LogHead.Parser, Bytes("c2sp/trustix-head-700"), out var message));
        Assert.True(SignedTreeHead.TryRead(message, out var read, out _));
        Assert.True(LogKey().TryVerify(read, out var head, out _));
        var demand = new WitnessDemand(Origin, LogKey(), Policy(Text("c2sp/policy.tlog-policy")), TimeSpan.FromDays(1));

        var verdict = demand.Verify(
            head.Content, Bytes("c2sp/checkpoint.cosigned"), Bytes("c2sp/checkpoint-mapheads.cosigned"), RecordedAt.AddHours(1));

        var witnessed = Assert.IsType<CheckpointVerdict.Witnessed>(verdict);
        Assert.Equal<string>(["w1", "w2", "w3"], witnessed.Witnesses);
        Assert.Equal(RecordedAt, witnessed.NewestAt);
        Assert.Equal(700, witnessed.Checkpoint.Size);
    }

    [Theory]
    [InlineData("c2sp/witness1.vkey", NoteAlgorithm.Cosignature, 0x243eccc5u)]
    [InlineData("c2sp/signed-note.vkey", NoteAlgorithm.Ed25519, 0x530d903au)]
    [InlineData("c2sp/mldsa44.vkey", NoteAlgorithm.MlDsaCosignature, 0x48f392c3u)]
    public void A_recorded_verifier_key_is_read_and_written_again(string file, NoteAlgorithm algorithm, uint id)
    {
        var key = Key(Text(file));

        Assert.Equal((algorithm, id), (key.Algorithm, key.KeyId));
        Assert.Equal(Text(file).TrimEnd('\n'), key.ToString());
    }

    [Fact]
    public void The_example_of_signed_note_verifies()
    {
        var note = Note("c2sp/signed-note.note");

        Assert.Equal(SignatureCheck.Valid, note.Check(Key(Text("c2sp/signed-note.vkey"))));
        Assert.Equal("This is an example message.\n", note.Text);
    }

    [Fact]
    public void The_checkpoint_of_C2SP_issue_99_comes_out_bit_for_bit()
    {
        var recorded = Note("c2sp/issue-99.checkpoint");
        var seed = new byte[32];
        seed[0] = 0x11;
        Assert.True(Checkpoint.TryRead(recorded, out var checkpoint));

        var signed = new CheckpointSigner(checkpoint.Origin, new LogSigner(seed)).Sign(checkpoint.Size, checkpoint.Root);

        Assert.Equal(Bytes("c2sp/issue-99.checkpoint"), signed.ToBytes());
    }

    [Fact]
    public void A_recorded_request_and_its_answer_are_read()
    {
        var bytes = Bytes("c2sp/add-checkpoint-700.request");
        Assert.True(CheckpointRequest.TryParse(bytes, out var request));
        Assert.True(NoteSignature.TryParseLines(Bytes("c2sp/add-checkpoint-700.response"), out var lines));

        Assert.Equal((300, 9), (request.OldSize, request.Proof.Length));
        Assert.Equal(bytes, request.ToBytes());
        Assert.Equal(SignatureCheck.Valid, Cosignature.Check(request.Checkpoint.With(lines), Key(Text("c2sp/witness1.vkey")), out _));
        Assert.Equal(Bytes("c2sp/add-checkpoint-700.response"),
            Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => $"{line}\n"))));
    }

    [Theory]
    [InlineData("c2sp/entry-123", "c2sp/entry-123.tlog-proof", "c2sp/policy.tlog-policy", 123)]
    [InlineData("c2sp/maproot-7", "c2sp/maproot-7.tlog-proof", "c2sp/policy-mapheads.tlog-policy", 7)]
    public void A_recorded_proof_file_proves_its_entry(string entry, string file, string policy, long index)
    {
        Assert.True(TlogProof.TryParse(Bytes(file), out var proof));

        Assert.Equal(index, proof.Index);
        Assert.Equal(Bytes(file), proof.ToBytes());
        Assert.IsType<CheckpointVerdict.Witnessed>(proof.Verify(Bytes(entry), Policy(Text(policy)), RecordedAt));
        Assert.Equal(new CheckpointVerdict.Refused(CheckpointError.Inclusion), proof.Verify(
            [.. Bytes(entry), 0], Policy(Text(policy)), RecordedAt));
    }

    [Fact]
    public void A_bundle_of_Tessera_holds_the_entries_of_its_tile()
    {
        Assert.True(EntryBundle.TryRead(Bytes("c2sp/generic/tile/entries/000.p/3"), 3, out var entries));

        Assert.Equal(Bytes("c2sp/generic/tile/0/000.p/3"), entries.SelectMany(entry => MerkleHash.Leaf(entry.Span).ToArray()));
        Assert.Equal(Bytes("c2sp/generic/f2"), entries[1].ToArray());
        Assert.Equal(Bytes("c2sp/generic/tile/entries/000.p/3"), EntryBundle.Encode(entries));
        Assert.True(Checkpoint.TryRead(Note("c2sp/generic/checkpoint"), out var checkpoint));
        Assert.Equal(checkpoint.Root, SlowReference.LogRoot([.. entries.Select(entry => MerkleHash.Leaf(entry.Span))]));
    }

    [Fact]
    public void The_entry_of_our_log_has_the_leaf_of_our_log()
    {
        var (key, digest) = ("/nix/store/x"u8.ToArray(), Digest.Of("value"u8));

        Assert.Equal(MerkleHash.LogLeaf(key, digest), MerkleHash.Leaf(EntryBundle.EntryOf(key, digest)));
    }

    [Fact]
    public void A_line_with_ML_DSA_is_read_and_ignored()
    {
        var line = Bytes("c2sp/mldsa44-cosignature.line");
        var note = Note("c2sp/checkpoint.cosigned");
        Assert.True(NoteSignature.TryParseLines(line, out var lines));
        var policy = Policy(Text("c2sp/policy.tlog-policy").Replace(
            "group q", $"witness w4 {Text("c2sp/mldsa44.vkey")}group q", StringComparison.Ordinal));

        var count = policy.Count(note.With(lines), RecordedAt);

        Assert.Equal<string>(["w1", "w2", "w3"], count.Witnesses);
        Assert.Equal<string>(["w4"], policy.IgnoredWitnesses.Select(witness => witness.Name));
        Assert.Equal(line.Length + note.ToBytes().Length, note.With(lines).ToBytes().Length);
    }

    [Fact]
    public void A_recorded_proof_of_Sigsum_proves_its_file()
    {
        var (file, bytes) = (Bytes("sigsum/f3.message"), Bytes("sigsum/f3.proof"));
        var policy = Policy(Text("sigsum/policy"));
        Assert.True(SigsumProof.TryParse(bytes, out var proof));

        var verdict = proof.Verify(file, [SshKey("sigsum/builder.pub")], policy, RecordedAt.AddDays(1));

        Assert.Equal(bytes, proof.ToBytes());
        Assert.Equal(["w1", "w2"], Assert.IsType<CheckpointVerdict.Witnessed>(verdict).Witnesses.Order());
        Assert.Equal($"sigsum.org/v1/tree/{proof.LogKeyHash}", policy.Logs.Single().Key.Name);
        Assert.Equal(new CheckpointVerdict.Refused(CheckpointError.LeafSignature),
            proof.Verify([.. file, 0], [SshKey("sigsum/builder.pub")], policy, RecordedAt));
        Assert.Equal(new CheckpointVerdict.Refused(CheckpointError.LeafSignature),
            proof.Verify(file, [SshKey("sigsum/log.pub")], policy, RecordedAt));
    }

    private static SigsumKey SshKey(string file) =>
        SigsumKey.TryParse(Text(file).TrimEnd(), out var key) ? key : throw new InvalidDataException(file);
}
