using TrustixProxy.Consensus;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Simulation;

/// <summary>A log on the stage of witnesses, with the checkpoints that it gives.</summary>
/// <param name="Elector">Its voice, with the witnesses that it demands.</param>
/// <param name="Lie">How it lies, or one of its witnesses.</param>
/// <param name="Left">The history that the first proxy is shown.</param>
/// <param name="Right">The history that the second proxy is shown.</param>
/// <param name="Order">Its witnesses, in an order of chance.</param>
/// <param name="Quorum">How many of them must have cosigned.</param>
/// <param name="Dice">Its own: how often it is asked must not change what else is drawn.</param>
internal sealed record WitnessedActor(
    Elector.Log Elector, Lie Lie, MemoryLog Left, MemoryLog Right, TestWitness[] Order, int Quorum, Random Dice)
{
    /// <summary>How old the newest cosignature may be.</summary>
    public static readonly TimeSpan Within = TimeSpan.FromDays(1);

    public string Name => Elector.Name;

    /// <summary>Whether all witnesses have seen what it shows.</summary>
    public bool IsHealed { get; set; }

    /// <summary>Makes the checkpoint of one side's head, or of its map-head log, as witnesses have cosigned it.</summary>
    public byte[] CheckpointOf(bool isMapHeads, bool isLeft, DateTimeOffset now)
    {
        // A private history comes with the checkpoint of the one that the witnesses know.
        var lie = IsHealed ? Lie.None : Lie;
        var head = (isLeft == lie is not Lie.PrivateHistory ? Left : Right).Head.Content;
        var note = new CheckpointSigner(Elector.Witnesses!.Origin + (isMapHeads ? Checkpoint.MapHeads : ""), Left.Signer)
            .Sign(isMapHeads ? head.MapHeadSize : head.TreeSize, isMapHeads ? head.MapHeadRoot : head.LogRoot);
        var age = lie switch
        {
            Lie.WitnessLate => Within + TimeSpan.FromSeconds(1),
            Lie.WitnessAhead => -(WitnessPolicy.MaxAhead + TimeSpan.FromSeconds(2)),
            _ => TimeSpan.Zero,
        };
        var cosigned = note.With(CosignersOf(lie, isLeft).Select(witness => witness.Cosign(note, now - age)));
        return (lie is Lie.WitnessForges ? Forge(cosigned) : cosigned).ToBytes();
    }

    /// <summary>The witnesses that have seen one side. Honest ones know one side only, and a liar cosigns both.</summary>
    private TestWitness[] CosignersOf(Lie lie, bool isLeft)
    {
        var (left, right) = (Order[..(Order.Length / 2)], Order[(Order.Length / 2)..]);
        return lie switch
        {
            Lie.WitnessesGone => Order[..(Quorum - 1)],
            Lie.FewWitnessesGone => Order[..Dice.Next(Quorum, Order.Length)],
            Lie.WitnessSignsTwice => isLeft ? left : [left[0], .. right[..(Quorum - 2)]],
            Lie.SplitBelowQuorum => isLeft ? left : right,
            _ => Order,
        };
    }

    /// <summary>Changes one bit of what a witness has signed: of the time, or of the signature.</summary>
    private SignedNote Forge(SignedNote cosigned)
    {
        var at = Dice.Next(1, cosigned.Signatures.Length);
        var bytes = cosigned.Signatures[at].Bytes.ToArray();
        bytes[Dice.Next(bytes.Length)] ^= (byte)(1 << Dice.Next(8));
        return SignedNote.Of(cosigned.Text, cosigned.Signatures.SetItem(at, cosigned.Signatures[at] with { Bytes = bytes }));
    }
}
