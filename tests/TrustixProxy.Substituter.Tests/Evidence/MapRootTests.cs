using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Consensus;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>A head's map root is shown to be the last leaf of its map-head log, once for each head, and bundles carry the proof.</summary>
public sealed class MapRootTests
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Fact]
    public async Task A_log_without_the_one_call_is_asked_once_for_each_head()
    {
        var outputs = Enumerable.Range(0, 4).Select(i => TestOutput.Make($"path-{i}")).ToArray();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();
        foreach (var output in outputs)
        {
            await Task.Delay(1100); // a head may be believed for a second
            proxy.Publish(output, "alice", "bob", "carol");
            await proxy.NarInfoAsync(output);
            await proxy.NarInfoAsync(output);
        }

        var log = proxy.Log("alice");
        Assert.InRange(log.Calls.Count(call => call is "GetMHLogAuditProof"), 1, log.Log.Heads.Count);
    }

    [Fact]
    public async Task A_log_whose_inclusion_proofs_are_optional_is_not_asked()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with
        {
            Logs = [.. options.Logs.Select(log => log with { Elector = log.Elector with { RequiresInclusionProof = false } })],
            Policy = new Policy([.. options.Policy.Electors.Select(
                elector => elector is Elector.Log log ? log with { RequiresInclusionProof = false } : elector)]),
        };
        await proxy.Publish(output, "alice", "bob", "carol").StartAsync();

        await proxy.NarInfoAsync(output);

        Assert.DoesNotContain("GetMHLogAuditProof", proxy.Log("alice").Calls.Concat(proxy.Log("bob").Calls));
    }

    [Fact]
    public async Task A_newer_head_does_not_become_the_view_unless_its_map_root_is_shown()
    {
        var (first, second) = (TestOutput.Make("first"), TestOutput.Make("second"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { HeadPollInterval = TimeSpan.FromMilliseconds(50) };
        await proxy.Publish(first, "alice", "carol").StartAsync();
        await proxy.NarInfoAsync(first);
        await UntilAsync(async () => await SizesAsync() is [{ } alice, _, { } carol] && (alice, carol) == (1, 1));

        proxy.Log("carol").Lie = LogLie.SurplusMapRootNode;
        proxy.Publish(second, "alice", "carol");
        await UntilAsync(() => proxy.Log("carol").Calls.Count(call => call is "GetMHLogAuditProof") > 40); // /readyz is a second old

        Assert.Equal(1, (await SizesAsync())[2]);

        async Task<long?[]> SizesAsync()
        {
            using var answer = await proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, "/readyz")); // 503 while no log has been heard
            return [.. JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["logs"]!.AsArray().Select(log => (long?)log!["size"])];
        }
    }

    [Fact]
    public void A_bundle_of_version_2_shows_each_map_root_and_one_of_version_1_still_verifies()
    {
        var output = TestOutput.Make();
        var log = new MemoryLog();
        log.Add(output.Statement.Key, output.Statement.Value);
        var elector = new Elector.Log("alice", "alice", log.Signer.Key);
        var policy = new Policy([elector], 1);
        Assert.True(log.Head.TryShowMapRoot(log.MapRootProof(2), out var shown, out _));

        var (first, second) = (BundleOf(log, log.Head, output, policy), BundleOf(log, shown, output, policy));

        Assert.Equal(1, JsonNode.Parse(first)!["version"]!.GetValue<int>());
        Assert.Equal(2, JsonNode.Parse(second)!["version"]!.GetValue<int>());
        Assert.True(DecisionBundle.TryVerify(first, policy, out _, out _, out _));
        Assert.True(DecisionBundle.TryVerify(second, policy, out _, out _, out _));
        Assert.Equal(DecisionBundleError.Head, Redigested(second, policy, answer => answer["mapRoot"] = null));
        Assert.Equal(DecisionBundleError.Head, Redigested(second, policy, answer => answer["mapRoot"] = new JsonArray()));
        Assert.Equal(DecisionBundleError.Head, Redigested(second, policy, answer =>
            answer["mapRoot"]![0] = Convert.ToBase64String(new byte[32])));
    }

    private static byte[] BundleOf(MemoryLog log, VerifiedTreeHead head, TestOutput output, Policy policy)
    {
        var evidence = new LogEvidence(head, log.MapValue(output.Statement.Key, head.Content.MapRoot)!,
            [.. log.InclusionProof(0, 1)], output.Statement.Value);
        var ballot = evidence.Judge((Elector.Log)policy.Electors[0], output.Path);
        var verdict = policy.Decide(output.Path, new Dictionary<string, Ballot> { ["alice"] = ballot });
        var hints = new NarHints("none", output.Statement.NarHash, output.Statement.NarSize, null, null, [], "main");
        return DecisionBundle.Of(output.Path, DecisionRecord.Of(verdict, hints, DateTimeOffset.UnixEpoch), verdict, policy).ToBytes();
    }

    private static DecisionBundleError Redigested(byte[] bytes, Policy policy, Action<JsonNode> change)
    {
        var bundle = JsonNode.Parse(bytes)!.AsObject();
        change(bundle["answers"]![0]!["log"]!);
        var log = bundle["answers"]![0]!["log"]!.AsObject();
        if (log["mapRoot"] is null)
        {
            log.Remove("mapRoot");
        }

        bundle["sha256"] = null;
        bundle["sha256"] = Digest.Of(Encoding.UTF8.GetBytes(bundle.ToJsonString(Plain))).ToString();
        Assert.False(DecisionBundle.TryVerify(Encoding.UTF8.GetBytes(bundle.ToJsonString(Plain)), policy, out _, out _, out var error));
        return error;
    }
}
