using System.Text;
using System.Text.Json.Nodes;
using TrustixProxy.Testing;

namespace TrustixProxy.TransparencyLog.Tests;

/// <summary>Evidence against a log is what its own signatures show; nothing else is.</summary>
public sealed class FaultEvidenceTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    public static TheoryData<string> Kinds =>
        ["split-view", "rewritten-log", "rewritten-map-heads", "map-contradiction", "two-entries", "repeated-key"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Each_kind_of_fault_is_verified_from_its_file_alone_and_no_character_of_it_can_be_changed(string kind)
    {
        var (fault, key) = Fault(kind);
        var bytes = FaultEvidence.Write(fault, Now, "https://log.example");

        Assert.True(FaultEvidence.TryVerify(bytes, [Make().Signer.Key, key], out var evidence, out var error), error.ToString());

        Assert.Equal((kind, "2026-01-02T03:04:05Z", "https://log.example"), (evidence.Fault.Kind, evidence.SeenAt, evidence.From));
        Assert.False(FaultEvidence.TryVerify(bytes, [Make().Signer.Key], out _, out error));
        Assert.Equal(FaultEvidenceError.Heads, error);
        for (var i = 0; i < bytes.Length; i++)
        {
            foreach (var bit in new[] { 1, 4, 32 })
            {
                bytes[i] ^= (byte)bit;
                Assert.False(FaultEvidence.TryVerify(bytes, [key], out _, out _), $"byte {i}");
                bytes[i] ^= (byte)bit;
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_an_honest_log_signs_is_evidence_of_nothing(string kind)
    {
        var log = Make();
        var (older, newer, key) = (log.Heads[3], log.Heads[6], Key(2));
        var (first, second) = (Entry(log, older, key), Entry(log, newer, key));
        LogFault[] honest =
        [
            new LogFault.SplitView(older, newer),
            new LogFault.SplitView(older, older),
            new LogFault.RewrittenPast(older, newer, log.ConsistencyProof(3, 6), IsMapHeadLog: false),
            new LogFault.RewrittenPast(older, newer, log.ConsistencyProof(3, 5), IsMapHeadLog: false),
            new LogFault.RewrittenPast(older, newer, [], IsMapHeadLog: false),
            new LogFault.RewrittenPast(older, newer, log.MapHeadConsistencyProof(4, 7), IsMapHeadLog: true),
            new LogFault.RewrittenPast(newer, older, log.ConsistencyProof(3, 6), IsMapHeadLog: false),
            new LogFault.MapContradiction(second, log.Leaf(2), log.InclusionProof(2, 6)),
            new LogFault.MapContradiction(second, log.Leaf(1), log.InclusionProof(1, 6)),
            new LogFault.MapContradiction(second, log.Leaf(1), log.InclusionProof(2, 6)),
            new LogFault.RepeatedKey(newer, key, Leaf(log, 2, newer), Leaf(log, 2, newer)),
            new LogFault.RepeatedKey(newer, key, Leaf(log, 2, newer), Leaf(log, 3, newer)),
            new LogFault.RepeatedKey(newer, key, Leaf(log, 2, newer), Leaf(log, 2, newer) with { Index = 3 }),
            new LogFault.TwoEntries(first, second),
            new LogFault.TwoEntries(first, Entry(log, newer, Key(3))),
            new LogFault.TwoEntries(first, second with { Map = Entry(log, newer, Key(3)).Map }),
        ];

        foreach (var fault in honest.Where(fault => fault.Kind == kind))
        {
            Assert.False(fault.IsShown, fault.ToString());
            Assert.False(FaultEvidence.TryVerify(FaultEvidence.Write(fault, Now, "x"), [log.Signer.Key], out _, out var error));
            Assert.Equal(FaultEvidenceError.NotShown, error);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(64)]
    public void A_past_that_was_rewritten_before_a_power_of_two_is_shown_by_a_proof_that_begins_one_leaf_later(int older)
    {
        for (var newer = older + 2; newer <= (4 * older) + 3; newer++)
        {
            var (log, fork) = (new MemoryLog(), default(MemoryLog));
            Fill(log, 0, newer, "value");
            fork = log.Fork(older - 1);
            Fill(fork, older - 1, older, "forked");
            var fault = new LogFault.RewrittenPast(
                fork.Heads[older], log.Heads[newer], log.ConsistencyProof(older + 1, newer), IsMapHeadLog: false);
            var honest = fault with { Older = log.Heads[older] };

            Assert.True(fault.IsShown, $"{older} to {newer}");
            Assert.False(honest.IsShown, $"{older} to {newer}");
            Assert.True(FaultEvidence.TryVerify(FaultEvidence.Write(fault, Now, "x"), [log.Signer.Key], out _, out _));
        }
    }

    [Fact]
    public void Heads_of_two_logs_contradict_nothing()
    {
        var (one, other) = (Make(), Make());

        Assert.False(new LogFault.SplitView(one.Heads[3], other.Heads[3]).IsShown);
    }

    [Fact]
    public void What_is_no_evidence_is_told_why()
    {
        var (fault, key) = Fault("split-view");
        var json = JsonNode.Parse(FaultEvidence.Write(fault, Now, "x"))!;

        Assert.Equal(FaultEvidenceError.Json, Error([], key));
        Assert.Equal(FaultEvidenceError.Json, Error("{\"kind\": 1}"u8.ToArray(), key));
        Assert.Equal(FaultEvidenceError.Json, Error([.. Encoding.UTF8.GetBytes(json.ToJsonString()[..^1]), .. ",\"x\":1}"u8], key));
        Assert.Equal(FaultEvidenceError.Version, Error(Changed(json, "version", 2), key));
        Assert.Equal(FaultEvidenceError.Digest, Error(Changed(json, "from", "y"), key));
        Assert.Equal(FaultEvidenceError.Digest, Error(Changed(json, "sha256", null), key));
    }

    private static FaultEvidenceError Error(byte[] bytes, LogKey key)
    {
        Assert.False(FaultEvidence.TryVerify(bytes, [key], out _, out var error));
        return error;
    }

    private static byte[] Changed(JsonNode json, string member, JsonNode? value)
    {
        var copy = json.DeepClone();
        copy[member] = value;
        return Encoding.UTF8.GetBytes(copy.ToJsonString());
    }

    private static (LogFault Fault, LogKey Key) Fault(string kind)
    {
        var log = Make();
        var fork = log.Fork(2);
        Fill(fork, 2, 7, "forked");
        LogFault fault = kind switch
        {
            "split-view" => new LogFault.SplitView(log.Heads[5], fork.Heads[5]),
            "rewritten-log" => new LogFault.RewrittenPast(fork.Heads[3], log.Heads[6], log.ConsistencyProof(3, 6), IsMapHeadLog: false),
            "rewritten-map-heads" =>
                new LogFault.RewrittenPast(fork.Heads[4], log.Heads[6], log.MapHeadConsistencyProof(5, 7), IsMapHeadLog: true),
            "map-contradiction" => Misplaced(log),
            "repeated-key" => Repeated(log),
            _ => new LogFault.TwoEntries(Entry(log, log.Heads[6], Key(4)), Entry(fork, fork.Heads[7], Key(4))),
        };
        return (fault, log.Signer.Key);
    }

    private static LogFault.MapContradiction Misplaced(MemoryLog log)
    {
        log.Add(Key(9), [9], index: 1);
        return new LogFault.MapContradiction(Entry(log, log.Head, Key(9)), log.Leaf(1), log.InclusionProof(1, log.Head.Content.TreeSize));
    }

    private static LogFault.RepeatedKey Repeated(MemoryLog log)
    {
        log.Repeat(Key(3), [9]);
        return new LogFault.RepeatedKey(log.Head, Key(3), Leaf(log, 3, log.Head), Leaf(log, 7, log.Head));
    }

    private static LogFault.KeyedLeaf Leaf(MemoryLog log, int index, VerifiedTreeHead head) =>
        new(index, log.Leaves[index].ValueDigest, log.InclusionProof(index, head.Content.TreeSize));

    private static ProvenEntry Entry(MemoryLog log, VerifiedTreeHead head, byte[] key) =>
        new(head, key, log.MapValue(key, head.Content.MapRoot)!);

    private static MemoryLog Make()
    {
        var log = new MemoryLog();
        Fill(log, 0, 7, "value");
        return log;
    }

    private static void Fill(MemoryLog log, int from, int to, string value)
    {
        for (var i = from; i < to; i++)
        {
            log.Add(Key(i), Encoding.ASCII.GetBytes($"{value} {i}"));
        }
    }

    private static byte[] Key(int number) => Encoding.ASCII.GetBytes($"key {number}");
}
