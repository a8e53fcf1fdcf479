using System.Text;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;
using static TrustixProxy.TransparencyLog.Tests.Notes.NoteVectors;

namespace TrustixProxy.TransparencyLog.Tests.Notes;

/// <summary>What the proxy demands of a head's checkpoints: each check, removed, would let one of these through.</summary>
public sealed class WitnessDemandTests
{
    private static readonly LogSigner Signer = new([.. Enumerable.Repeat((byte)9, 32)]);
    private static readonly TestWitness[] Three = [.. Enumerable.Range(1, 3).Select(i => new TestWitness($"w{i}", (byte)i))];
    private static readonly WitnessPolicy TwoOfThree =
        Policy($"{string.Concat(Three.Select(witness => witness.Line))}group q 2 w1 w2 w3\nquorum q\n");
    private static readonly WitnessDemand Demand = new(Origin, Signer.Key, TwoOfThree, TimeSpan.FromDays(1));
    private static readonly Checkpoint Said = new(Origin, 7, Digest.Of("root"u8));
    private static readonly DateTimeOffset Now = RecordedAt;

    [Fact]
    public void A_quorum_of_cosignatures_is_enough_and_its_newest_time_is_the_checkpoints()
    {
        var note = Signed(Said);

        var verdict = Verify(note.With(Three[0].Cosign(note, Now.AddHours(-2)), Three[2].Cosign(note, Now.AddHours(-1))));

        var witnessed = Assert.IsType<CheckpointVerdict.Witnessed>(verdict);
        Assert.Equal<string>(["w1", "w3"], witnessed.Witnesses);
        Assert.Equal((Said, Now.AddHours(-1)), (witnessed.Checkpoint, witnessed.NewestAt));
    }

    [Fact]
    public void The_time_that_enough_cosignatures_reach_is_no_lone_witnesss()
    {
        var note = Signed(Said);
        var cosigned = note.With(Three[0].Cosign(note, Now.AddMinutes(4)), Three[1].Cosign(note, Now.AddHours(-2)),
            Three[2].Cosign(note, Now.AddHours(-1)));

        var witnessed = Assert.IsType<CheckpointVerdict.Witnessed>(Verify(cosigned));

        Assert.Equal((Now.AddMinutes(4), Now.AddHours(-1)), (witnessed.ThereBy, witnessed.ReachedAt));
    }

    [Fact]
    public void Too_few_witnesses_is_no_fault_of_the_log()
    {
        var note = Signed(Said);
        var stranger = new TestWitness("stranger", 77);

        ExpectUnwitnessed(UnwitnessedReason.NoCheckpoint, Demand.Verify([], Said, Now), []);
        ExpectUnwitnessed(UnwitnessedReason.Quorum, Verify(note), []);
        ExpectUnwitnessed(UnwitnessedReason.Quorum, Verify(note.With(Three[0].Cosign(note, Now))), ["w1"]);
        ExpectUnwitnessed(UnwitnessedReason.Quorum, Verify(note.With(Three[0].Cosign(note, Now), stranger.Cosign(note, Now))), ["w1"]);
    }

    [Fact]
    public void One_witness_counts_once_however_often_it_cosigns()
    {
        var note = Signed(Said);

        ExpectUnwitnessed(UnwitnessedReason.Quorum,
            Verify(note.With(Three[0].Cosign(note, Now), Three[0].Cosign(note, Now.AddSeconds(-1)))), ["w1"]);
    }

    [Fact]
    public void A_cosignature_from_the_future_does_not_count()
    {
        var note = Signed(Said);
        var (first, minutes) = (Three[0].Cosign(note, Now), Three[1].Cosign(note, Now.AddMinutes(5)));

        Assert.IsType<CheckpointVerdict.Witnessed>(Verify(note.With(first, minutes)));
        ExpectUnwitnessed(UnwitnessedReason.Quorum, Verify(note.With(first, Three[1].Cosign(note, Now.AddSeconds(301)))), ["w1"]);
        ExpectUnwitnessed(UnwitnessedReason.Quorum, Verify(note.With(first, Three[1].Cosign(note, long.MaxValue))), ["w1"]);
    }

    [Fact]
    public void The_newest_cosignature_must_be_recent_where_that_is_demanded()
    {
        var note = Signed(Said);
        var old = note.With(Three[0].Cosign(note, Now.AddHours(-25)), Three[1].Cosign(note, Now.AddHours(-30)));

        ExpectUnwitnessed(UnwitnessedReason.Stale, Verify(old), ["w1", "w2"]);
        Assert.IsType<CheckpointVerdict.Witnessed>(Verify(old.With(Three[2].Cosign(note, Now.AddHours(-23)))));
        Assert.IsType<CheckpointVerdict.Witnessed>((Demand with { Within = null }).Verify(old.ToBytes(), Said, Now));
        Assert.IsType<CheckpointVerdict.Witnessed>((Demand with { Within = TimeSpan.MaxValue }).Verify(old.ToBytes(), Said, Now));
    }

    [Fact]
    public void A_checkpoint_that_says_another_thing_is_refused()
    {
        ExpectRefused(CheckpointError.Origin, Said with { Origin = "other.example" });
        ExpectRefused(CheckpointError.Size, Said with { Size = 8 });
        ExpectRefused(CheckpointError.Root, Said with { Root = Digest.Of("other"u8) });
    }

    [Fact]
    public void A_signature_that_fails_refuses_the_whole_note()
    {
        var note = Signed(Said);
        var full = note.With(Three.Select(witness => witness.Cosign(note, Now)));
        var other = Signed(Said with { Size = 8 });
        var forged = Three[2].Cosign(note, Now) with { Bytes = Three[2].Sign(other.Text, Now.ToUnixTimeSeconds()) };

        Assert.Equal(Refused(CheckpointError.WitnessSignature),
            Verify(note.With(Three[0].Cosign(note, Now), Three[1].Cosign(note, Now), forged)));
        Assert.Equal(Refused(CheckpointError.LogSignature), Verify(SignedNote.Of(full.Text, full.Signatures[1..])));
        Assert.Equal(Refused(CheckpointError.LogSignature), Verify(
            SignedNote.Of(full.Text, [full.Signatures[0] with { Bytes = new byte[64] }, .. full.Signatures[1..]])));
        Assert.Equal(Refused(CheckpointError.LogSignature), Demand with { Key = new LogSigner(new byte[32]).Key } is var demand
            ? demand.Verify(full.ToBytes(), Said, Now) : null);
    }

    [Fact]
    public void What_is_no_checkpoint_is_refused()
    {
        var note = Signed(Said);
        var extended = SignedNote.Of(note.Text + "extension\n", note.Signatures);

        Assert.Equal(Refused(CheckpointError.Note), Demand.Verify("x"u8, Said, Now));
        Assert.Equal(Refused(CheckpointError.Form), Verify(extended));
    }

    [Fact]
    public void No_bit_of_a_checkpoint_with_just_enough_witnesses_can_be_flipped()
    {
        var note = Signed(Said);
        var bytes = note.With(Three[0].Cosign(note, Now), Three[1].Cosign(note, Now)).ToBytes();

        Assert.IsType<CheckpointVerdict.Witnessed>(Demand.Verify(bytes, Said, Now));
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var changed = (byte[])bytes.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(Demand.Verify(changed, Said, Now) is CheckpointVerdict.Witnessed, $"bit {bit}");
        }
    }

    [Fact]
    public void What_is_kept_of_a_checkpoint_is_bounded_by_the_policy_and_not_by_the_log()
    {
        var note = Signed(Said);
        var strangers = Enumerable.Range(0, 90).Select(i => new TestWitness($"stranger-{i}", 77).Cosign(note, Now));
        var newest = new[] { Three[0].Cosign(note, Now.AddHours(-1)), Three[1].Cosign(note, Now) };
        var full = note.With([.. strangers, Three[0].Cosign(note, Now.AddHours(-2)), newest[0], newest[1], Three[0].Cosign(note, 1)]);

        var witnessed = Assert.IsType<CheckpointVerdict.Witnessed>(Verify(full));

        Assert.Equal([note.With(newest).ToString()], witnessed.Notes.ToArray());
        var again = Assert.IsType<CheckpointVerdict.Witnessed>(Demand.Verify(note.With(newest).ToBytes(), Said, Now));
        Assert.Equal((witnessed.Notes[0], witnessed.NewestAt), (again.Notes[0], again.NewestAt));
        Assert.Equal<string>(witnessed.Witnesses, again.Witnesses);
    }

    [Fact]
    public void A_head_needs_both_checkpoints_and_the_older_of_their_times_counts()
    {
        var log = new MemoryLog(Signer);
        log.Add("key"u8.ToArray(), [1]);
        var head = log.Head.Content;
        var (first, second) = (
            Signed(new Checkpoint(Origin, head.TreeSize, head.LogRoot)),
            Signed(new Checkpoint($"{Origin}/mapheads", head.MapHeadSize, head.MapHeadRoot)));
        var leaves = first.With(Three[0].Cosign(first, Now.AddHours(-1)), Three[1].Cosign(first, Now)).ToBytes();
        var maps = second.With(Three[0].Cosign(second, Now.AddHours(-3)), Three[2].Cosign(second, Now.AddHours(-2))).ToBytes();

        var witnessed = Assert.IsType<CheckpointVerdict.Witnessed>(Demand.Verify(head, leaves, maps, Now));

        Assert.Equal<string>(["w1"], witnessed.Witnesses);
        Assert.Equal(Now.AddHours(-2), witnessed.NewestAt);
        Assert.Equal((Now, Now.AddHours(-3)), (witnessed.ThereBy, witnessed.ReachedAt));
        Assert.Equal([Encoding.UTF8.GetString(leaves), Encoding.UTF8.GetString(maps)], witnessed.Notes.ToArray());
        ExpectUnwitnessed(UnwitnessedReason.NoCheckpoint, Demand.Verify(head, leaves, [], Now), []);
        ExpectUnwitnessed(UnwitnessedReason.Quorum, Demand.Verify(head, leaves, second.ToBytes(), Now), []);
        ExpectUnwitnessed(UnwitnessedReason.Quorum, Demand.Verify(head, first.ToBytes(), maps, Now), []);
        Assert.Equal(Refused(CheckpointError.Origin), Demand.Verify(head, leaves, leaves, Now));
        Assert.Equal(Refused(CheckpointError.Origin), Demand.Verify(head, maps, leaves, Now));
        Assert.Equal(Refused(CheckpointError.Size), Demand.Verify(head with { MapHeadSize = 9 }, leaves, maps, Now));
    }

    private static SignedNote Signed(Checkpoint checkpoint) =>
        new CheckpointSigner(checkpoint.Origin, Signer).Sign(checkpoint.Size, checkpoint.Root);

    private static CheckpointVerdict Verify(SignedNote note) => Demand.Verify(note.ToBytes(), Said, Now);

    private static CheckpointVerdict.Refused Refused(CheckpointError error) => new(error);

    private static void ExpectRefused(CheckpointError error, Checkpoint checkpoint)
    {
        var note = Signed(checkpoint);
        Assert.Equal(Refused(error), Verify(note.With(Three.Select(witness => witness.Cosign(note, Now)))));
    }

    private static void ExpectUnwitnessed(UnwitnessedReason reason, CheckpointVerdict verdict, string[] witnesses)
    {
        var unwitnessed = Assert.IsType<CheckpointVerdict.Unwitnessed>(verdict);
        Assert.Equal(reason, unwitnessed.Reason);
        Assert.Equal<string>(witnesses, unwitnessed.Witnesses);
    }
}
