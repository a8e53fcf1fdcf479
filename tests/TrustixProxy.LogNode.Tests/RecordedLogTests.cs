using Google.Protobuf;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Tests;

/// <summary>Given the reference's key and entries, our node gives the reference's answers, to the byte.</summary>
public sealed class RecordedLogTests
{
    [Fact]
    public async Task Heads_and_map_answers_are_the_same_at_every_size()
    {
        await using var node = await RecordedLog.Node().StartAsync();
        Assert.Equal(RecordedLog.Heads[0].Hex("raw"), (await node.HeadAsync()).ToByteArray());
        var generations = Vectors.Load("smt").All("proofs").ToLookup(vector => vector.Number("map_size"));
        var compared = 0;

        foreach (var (i, (from, to)) in RecordedLog.Steps().Index())
        {
            await node.SubmitAsync([.. RecordedLog.Entries.Skip(from).Take(to - from)]);
            Assert.Equal(RecordedLog.Heads[i + 1].Hex("raw"), (await node.HeadAsync()).ToByteArray());
            foreach (var vector in generations[to])
            {
                var answer = await node.CallAsync("LogAPI/GetMapValue", MapRequest(node.LogId, vector), MapValueResponse.Parser);
                Assert.Equal(vector.Hex("raw_response"), answer.ToByteArray());
                compared++;
            }
        }

        Assert.Equal(48, compared);

        // Roots of heads that were superseded an hour ago at the most stay answerable, which the reference's do not.
        foreach (var vector in generations.SelectMany(group => group))
        {
            Assert.Equal(vector.Hex("raw_response"),
                (await node.CallAsync("LogAPI/GetMapValue", MapRequest(node.LogId, vector), MapValueResponse.Parser)).ToByteArray());
        }
    }

    [Fact]
    public async Task Proofs_of_the_log_and_of_the_map_head_log_are_the_same()
    {
        await using var node = await RecordedLog.FullAsync();
        foreach (var (file, member, method) in new[] { ("consistency", "proofs", "GetLogConsistencyProof"),
            ("maphead", "consistency", "GetMHLogConsistencyProof") })
        {
            foreach (var vector in Vectors.Load(file).All(member))
            {
                var request = new GetLogConsistencyProofRequest
                {
                    LogID = node.LogId,
                    FirstSize = (ulong)vector.Number("first"),
                    SecondSize = (ulong)vector.Number("second")
                };
                Assert.Equal(Nodes(vector), Nodes(await node.CallAsync($"LogAPI/{method}", request, ProofResponse.Parser)));
            }
        }

        foreach (
            var (file, member, method) in new[] { ("audit", "proofs", "GetLogAuditProof"), ("maphead", "audit", "GetMHLogAuditProof") })
        {
            foreach (var vector in Vectors.Load(file).All(member))
            {
                var request = new GetLogAuditProofRequest
                {
                    LogID = node.LogId,
                    Index = (ulong)vector.Number("index"),
                    TreeSize = (ulong)vector.Number("tree_size")
                };
                Assert.Equal(Nodes(vector), Nodes(await node.CallAsync($"LogAPI/{method}", request, ProofResponse.Parser)));
            }
        }
    }

    [Fact]
    public async Task Entries_and_values_are_the_same()
    {
        await using var node = await RecordedLog.FullAsync();
        var leaves = Vectors.Load("audit").All("leaves").ToList();
        var answer = await node.CallAsync(
            "LogAPI/GetLogEntries", new GetLogEntriesRequest { LogID = node.LogId, Start = 0, Finish = 49 }, LogEntriesResponse.Parser);
        Assert.Equal(leaves.Select(leaf => (leaf.Text("key"), leaf.Text("value_digest"), leaf.Text("leaf_digest"))),
            answer.Leaves.Select(leaf => (Hex(leaf.Key), Hex(leaf.ValueDigest), Hex(leaf.LeafDigest))));

        foreach (var leaf in leaves)
        {
            var value = await node.CallAsync(
                "NodeAPI/GetValue", new ValueRequest { Digest = ByteString.CopyFrom(leaf.Hex("value_digest")) }, ValueResponse.Parser);
            Assert.Equal(leaf.Text("value"), Hex(value.Value));
        }

        var heads = await node.CallAsync(
            "LogAPI/GetMHLogEntries", new GetLogEntriesRequest { LogID = node.LogId, Start = 0, Finish = 9 }, LogEntriesResponse.Parser);
        Assert.Equal(Vectors.Load("maphead").All("generations").Select(head => head.Text("leaf_digest")),
            heads.Leaves.Select(leaf => Hex(leaf.LeafDigest)));
    }

    private static GetMapValueRequest MapRequest(string logId, System.Text.Json.JsonElement vector) =>
        new() { LogID = logId, Key = ByteString.CopyFrom(vector.Hex("key")), MapRoot = ByteString.CopyFrom(vector.Hex("map_root")) };

    private static IEnumerable<string> Nodes(System.Text.Json.JsonElement vector) => vector.All("proof").Select(node => node.GetString()!);

    private static IEnumerable<string> Nodes(ProofResponse response) => response.Proof.Select(Hex);

    private static string Hex(ByteString bytes) => Convert.ToHexStringLower(bytes.Span);
}
