using System.Text;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Consensus.Tests;

/// <summary>A log with one entry, whose heads two of three witnesses must have seen within a day.</summary>
internal static class WitnessedLog
{
    public const string Origin = "log.alice.example/nix";

    public static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    public static readonly TimeSpan Within = TimeSpan.FromDays(1);
    public static readonly TestWitness[] Three = [.. Enumerable.Range(1, 3).Select(i => new TestWitness($"w{i}", (byte)i))];
    public static readonly TestOutput Output = TestOutput.Make();
    public static readonly MemoryLog Memory = MakeLog();
    public static readonly WitnessDemand Demand = MakeDemand();
    public static readonly Elector.Log Alice = new("alice", "alice", Memory.Signer.Key) { Witnesses = Demand };
    public static readonly Policy TestPolicy = new([Alice], 1);

    /// <summary>Has two witnesses cosign a log's newest head, and judges that.</summary>
    public static CheckpointVerdict.Witnessed Seen(DateTimeOffset at, MemoryLog? log = null)
    {
        var head = (log ?? Memory).Head.Content;
        byte[] Cosigned(string origin, long size, Digest root)
        {
            var note = new CheckpointSigner(origin, Memory.Signer).Sign(size, root);
            return note.With(Three[0].Cosign(note, at), Three[1].Cosign(note, at)).ToBytes();
        }

        return (CheckpointVerdict.Witnessed)Demand.Verify(
            head, Cosigned(Origin, head.TreeSize, head.LogRoot), Cosigned($"{Origin}/mapheads", head.MapHeadSize, head.MapHeadRoot), at);
    }

    private static MemoryLog MakeLog()
    {
        var log = new MemoryLog();
        log.Add(Output.Statement.Key, Output.Statement.Value);
        return log;
    }

    private static WitnessDemand MakeDemand()
    {
        var text = string.Concat(Three.Select(witness => witness.Line)) + "group q 2 w1 w2 w3\nquorum q\n";
        return WitnessPolicy.TryParse(Encoding.UTF8.GetBytes(text), mustDemand: true, out var policy, out var fault)
            ? new WitnessDemand(Origin, Memory.Signer.Key, policy, Within) : throw new InvalidDataException($"{fault}");
    }
}
