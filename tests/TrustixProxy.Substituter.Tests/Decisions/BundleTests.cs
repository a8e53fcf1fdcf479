using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>What a running proxy keeps of its decisions, so that others can decide again; and the record of its signatures.</summary>
public sealed class BundleTests
{
    private static readonly NixSecretKey CacheKey = NixSecretKey.Generate("cache-1");

    [Fact]
    public async Task A_decision_by_logs_and_a_signed_cache_can_be_made_again_from_its_bundle()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, "alice", "bob", "carol");
        var bytes = await BundleAsync(proxy, output);

        Assert.True(DecisionBundle.TryVerify(bytes, PolicyOf(proxy), out var bundle, out var verdict, out var error), error.ToString());

        Assert.Equal((output.Path.Absolute, Outcome.Agreed), (bundle.Path, bundle.Outcome));
        Assert.Equal(output.Statement.NarHash, verdict!.Granted!.NarHash);
        Assert.Equal(bytes, bundle.ToBytes());
    }

    [Fact]
    public async Task A_refusal_can_be_made_again_too_absences_included()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, "alice");
        var bytes = await BundleAsync(proxy, output);

        Assert.True(DecisionBundle.TryVerify(bytes, PolicyOf(proxy), out var bundle, out var verdict, out var error), error.ToString());

        Assert.Equal(Outcome.Undecided, bundle.Outcome);
        Assert.Contains("bob=absent, carol=absent, nixos=silent(not-found)", verdict!.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_character_of_any_field_can_be_changed()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, "alice", "bob");
        var (bytes, policy) = (await BundleAsync(proxy, output), PolicyOf(proxy));
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 1;
            Assert.False(DecisionBundle.TryVerify(bytes, policy, out _, out _, out _), $"byte {i} of {Encoding.UTF8.GetString(bytes)}");
            bytes[i] ^= 1;
        }
    }

    [Fact]
    public async Task A_bundle_whose_digest_was_made_anew_after_a_change_is_refused_for_what_it_no_longer_proves()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, "alice", "bob");
        var bytes = await BundleAsync(proxy, output);

        Assert.Equal(DecisionBundleError.Outcome, Redigested(proxy, bytes, bundle => bundle["claim"]!["narSize"] = 5));
        Assert.Equal(DecisionBundleError.Outcome, Redigested(proxy, bytes, bundle => bundle["outcome"] = "conflict"));
        Assert.Equal(DecisionBundleError.Policy, Redigested(proxy, bytes, bundle => bundle["policy"]!["text"] = "policy 2"));
        Assert.Equal(DecisionBundleError.Electors, Redigested(proxy, bytes, bundle => bundle["answers"]!.AsArray().RemoveAt(0)));
        Assert.Equal(DecisionBundleError.Outcome,
            Redigested(proxy, bytes, bundle => bundle["answers"]![0] = new JsonObject { ["elector"] = "alice", ["silent"] = "NoAnswer" }));
        Assert.Equal(DecisionBundleError.Answer, Redigested(proxy, bytes, bundle => bundle["answers"]![0]!["log"]!["value"] = "e30="));
        Assert.Equal(DecisionBundleError.Head, Redigested(
            proxy, bytes, bundle => bundle["answers"]![0]!["log"]!["head"] = bundle["answers"]![1]!["log"]!["head"]!.DeepClone()));
        Assert.Equal(DecisionBundleError.Version, Redigested(proxy, bytes, bundle => bundle["version"] = 3));
    }

    [Fact]
    public async Task White_space_may_differ_and_another_policy_may_not()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, "alice", "bob");
        var indented = Encoding.UTF8.GetBytes(JsonNode.Parse(await BundleAsync(proxy, output))!.ToJsonString(
            new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));

        Assert.True(DecisionBundle.TryVerify(indented, PolicyOf(proxy), out _, out _, out _));
        Assert.False(DecisionBundle.TryVerify(indented, new Policy(PolicyOf(proxy).Electors, 1), out _, out _, out var error));
        Assert.Equal(DecisionBundleError.Policy, error);
    }

    [Fact]
    public async Task Every_signature_is_on_record_with_the_hash_of_the_bundle_that_shows_why()
    {
        var (output, refused) = (TestOutput.Make(), TestOutput.Make());
        await using var proxy = await StartAsync(output, "alice", "bob", "carol");
        proxy.Publish(refused, "alice");
        await proxy.AskAsync(refused.Path);
        var bytes = await BundleAsync(proxy, output);
        DecisionBundle.TryVerify(bytes, PolicyOf(proxy), out var bundle, out _, out _);

        using var audit = new SignatureAudit(proxy.StateDirectory);
        var entries = audit.Read(DateTimeOffset.UnixEpoch, 100);

        Assert.All(entries, entry =>
            Assert.Equal((output.Path.Absolute, "agreed", PolicyOf(proxy).Identity.ToString()), (entry.Path, entry.Outcome, entry.Policy)));
        Assert.Equal(bundle!.Hash.ToString(), entries[^1].Bundle);
        Assert.Contains(output.Statement.NarHash.ToString(), entries[^1].Fingerprint, StringComparison.Ordinal);
        Assert.Equal(
            (entries.Count, 0), (audit.Prune(DateTimeOffset.UtcNow.AddMinutes(1)), audit.Read(DateTimeOffset.UnixEpoch, 100).Count));
    }

    [Fact]
    public async Task A_disk_that_is_stuck_withholds_no_answer_and_has_all_signatures_once_it_moves_again()
    {
        var (known, outputs) = (TestOutput.Make("known"), Enumerable.Range(0, 3).Select(i => TestOutput.Make($"output-{i}")).ToList());
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        outputs.ForEach(output => proxy.Publish(output, "alice", "bob"));
        await proxy.Publish(known, "alice", "bob", "carol").StartAsync();
        await proxy.NarInfoAsync(known); // the logs' heads are on the disk: none is believed before it is
        await using var connection = new SqliteConnection($"Data Source={proxy.StateDirectory}/state.sqlite;Pooling=false");
        await connection.OpenAsync();

        await using (await connection.BeginTransactionAsync()) // it has the right to write
        {
            foreach (var output in outputs)
            {
                await proxy.NarInfoAsync(output);
            }
        }

        using var audit = new SignatureAudit(proxy.StateDirectory);
        Assert.True(SpinWait.SpinUntil(() => audit.Read(DateTimeOffset.UnixEpoch, 10).Select(entry => entry.Path).ToHashSet()
            .IsSupersetOf(outputs.Select(output => output.Path.Absolute)), TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task What_is_on_record_cannot_be_changed()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, "alice", "bob");
        await proxy.NarInfoAsync(output);
        using var audit = new SignatureAudit(proxy.StateDirectory);
        // on a busy machine, later than the answer
        Assert.True(SpinWait.SpinUntil(() => audit.Read(DateTimeOffset.UnixEpoch, 1).Count > 0, TimeSpan.FromSeconds(10)));

        await using var connection = new SqliteConnection($"Data Source={proxy.StateDirectory}/state.sqlite;Pooling=false");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "UPDATE signature SET path = 'x'";

        Assert.Contains("append-only", (await Assert.ThrowsAsync<SqliteException>(() => command.ExecuteNonQueryAsync())).Message,
            StringComparison.Ordinal);
    }

    private static DecisionBundleError Redigested(TestProxy proxy, byte[] bytes, Action<JsonNode> change)
    {
        var json = JsonNode.Parse(bytes)!;
        change(json);
        json["sha256"] = null;
        var options =
            new System.Text.Json.JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        json["sha256"] = Convert.ToHexStringLower(
            System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(json.ToJsonString(options))));
        Assert.False(
            DecisionBundle.TryVerify(Encoding.UTF8.GetBytes(json.ToJsonString(options)), PolicyOf(proxy), out _, out _, out var error));
        return error;
    }

    /// <summary>The bundle that lies in the state database once the decision is written; of a refusal, the one that is in memory.</summary>
    private static async Task<byte[]> BundleAsync(TestProxy proxy, TestOutput output)
    {
        if (await proxy.AskAsync(output.Path) is { Status: System.Net.HttpStatusCode.NotFound })
        {
            await Task.Delay(200); // stragglers may add to it
            return await proxy.Client.GetByteArrayAsync(new Uri(proxy.OperationsUrl, $"/decisions/{output.Path.Digest}"));
        }

        for (var i = 0; i < 100; i++)
        {
            using var database = new StateDatabase(proxy.StateDirectory, isDurable: false);
            var store = new DecisionStore(database);
            if (store.FindBundle(output.Path.Digest) is { } packed)
            {
                await Task.Delay(200); // stragglers may add to it
                return PackedBundle.Unpack(store.FindBundle(output.Path.Digest) ?? packed);
            }

            await Task.Delay(50);
        }

        throw new TimeoutException($"No bundle was kept: {string.Join("\n", proxy.Lines)}");
    }

    private static Policy PolicyOf(TestProxy proxy) => proxy.Policy!;

    private static async Task<TestProxy> StartAsync(TestOutput output, params string[] logs)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        var cache = await proxy.AddUpstreamAsync("nixos");
        proxy.Caches.Add(new CacheOptions(new Elector.Cache("nixos", "nixos", [CacheKey.PublicKey]), cache.Url));
        proxy.Quorum = 3;
        proxy.Publish(output, logs);
        if (logs.Length is 1)
        {
            cache.Lie = UpstreamLie.Absent;
        }
        else
        {
            cache.Add(output, "none", text =>
            {
                Assert.True(NarInfo.TryParse(Encoding.ASCII.GetBytes(text), out var narInfo, out _));
                return text + $"Sig: {CacheKey.Sign(narInfo.Fingerprint)}\n";
            });
        }

        return await proxy.StartAsync();
    }
}
