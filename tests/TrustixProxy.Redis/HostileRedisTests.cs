using System.Diagnostics;
using Google.Protobuf;
using StackExchange.Redis;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Redis;

/// <summary>What whoever can write to Redis can do to the replicas: nothing but cost them time.</summary>
public sealed class HostileRedisTests
{
    [Fact]
    public async Task Records_with_a_flipped_bit_cut_short_or_put_elsewhere_are_misses()
    {
        await using var lab = await ReplicaLab.StartAsync(replicas: 1, outputs: 8);
        var keys = await DecidedAsync(lab);
        var database = lab.Redis.Database;
        byte[]? first = await database.StringGetAsync(keys[0]), firstBundle = await database.StringGetAsync(Bundle(keys[0]));
        await database.StringSetAsync(keys[1], first); // of another path, with its bundle
        await database.StringSetAsync(Bundle(keys[1]), firstBundle);
        await database.StringSetAsync(keys[2], first![..^1]);
        await database.StringSetAsync(keys[3], "");
        await database.KeyDeleteAsync(keys[4]);
        await database.HashSetAsync(keys[4], "a", "b");
        foreach (var key in new[] { keys[0], Bundle(keys[5]), keys[6], keys[7] })
        {
            byte[] bytes = (await database.StringGetAsync(key))!;
            bytes[bytes.Length / 2] ^= 1;
            await database.StringSetAsync(key, bytes);
        }

        var asked = lab.Questions("alice");
        var fresh = await lab.AddReplicaAsync();

        Assert.All(await Task.WhenAll(lab.Outputs.Select(fresh.NarInfoAsync)), Assert.NotNull);
        await UntilAsync(() => lab.Questions("alice") >= asked + 8); // an answer may leave before she is heard, and she may be asked again
    }

    [Fact]
    public async Task Records_of_another_key_or_policy_are_misses()
    {
        await using var lab = await ReplicaLab.StartAsync(replicas: 0, outputs: 2);
        var stranger = await lab.AddReplicaAsync(key: NixSecretKey.Generate("stranger-1"));
        var strict = await lab.AddReplicaAsync(configuration => configuration["policy"]!["quorum"] = 3);
        Assert.NotNull(await stranger.NarInfoAsync(lab.Outputs[0]));
        Assert.NotNull(await strict.NarInfoAsync(lab.Outputs[1]));
        await UntilAsync(() => lab.Redis.Keys("*:d:*").Count is 2);
        var (ofStranger, ofStrict) = (Key(lab, "d", lab.Outputs[0]), Key(lab, "d", lab.Outputs[1]));
        var policy = ofStranger.ToString().Split(':')[2];
        foreach (var kind in new[] { "d", "b" })
        {
            var ours = (RedisKey)$"trustix-proxy:{kind}:{policy}:{lab.Outputs[1].Path.Digest}";
            await lab.Redis.Database.StringSetAsync(ours, await lab.Redis.Database.StringGetAsync(Key(lab, kind, lab.Outputs[1])));
        }

        var asked = lab.Questions("alice");
        var replica = await lab.AddReplicaAsync();

        Assert.NotEqual(policy, ofStrict.ToString().Split(':')[2]);
        Assert.All(await Task.WhenAll(lab.Outputs.Select(replica.NarInfoAsync)), Assert.NotNull);
        await UntilAsync(() => lab.Questions("alice") == asked + 2); // an answer may leave before she is heard
    }

    [Fact]
    public async Task A_new_signing_key_finds_a_warm_cache_when_the_previous_one_is_named()
    {
        await using var lab = await ReplicaLab.StartAsync(replicas: 1);
        await DecidedAsync(lab);
        var (asked, old) = (lab.Questions("alice"), Path.Combine(lab.Replicas[0].State, "signing.key"));

        var rotated = await lab.AddReplicaAsync(configuration =>
            configuration["previousSigningKeyFiles"] = new System.Text.Json.Nodes.JsonArray(old), NixSecretKey.Generate("replicas-2"));

        Assert.All(await Task.WhenAll(lab.Outputs.Select(rotated.NarInfoAsync)), Assert.NotNull); // signed with the new key
        Assert.Equal(asked, lab.Questions("alice"));
    }

    [Fact]
    public async Task A_lease_whose_holder_is_dead_delays_an_answer_no_longer_than_itself_and_one_that_never_ends_half_a_deadline()
    {
        await using var lab = await ReplicaLab.StartAsync(replicas: 1, outputs: 3);
        Assert.NotNull(await lab.Replicas[0].NarInfoAsync(lab.Outputs[0]));
        await UntilAsync(() => lab.Redis.Keys("*:d:*").Count is 1);
        var prefix = Key(lab, "d", lab.Outputs[0]).ToString().Replace(":d:", ":l:", StringComparison.Ordinal)[..^32];
        await lab.Redis.Database.StringSetAsync(prefix + lab.Outputs[1].Path.Digest, "dead", TimeSpan.FromSeconds(1));
        await lab.Redis.Database.StringSetAsync(prefix + lab.Outputs[2].Path.Digest, "for ever");

        var start = Stopwatch.GetTimestamp();
        Assert.NotNull(await lab.Replicas[0].NarInfoAsync(lab.Outputs[1]));
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(4));
        start = Stopwatch.GetTimestamp();
        Assert.NotNull(await lab.Replicas[0].NarInfoAsync(lab.Outputs[2]));
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(9));
    }

    [Fact]
    public async Task Old_heads_forged_heads_and_garbage_move_no_view()
    {
        await using var lab = await ReplicaLab.StartAsync();
        await Task.WhenAll(lab.Replicas.Select(replica => replica.NarInfoAsync(lab.Outputs[0])));
        var log = lab.Logs["alice"].Log;
        var key = (RedisKey)$"trustix-proxy:view:{log.Signer.Key.LogId}";
        var newest = log.Head.ToMessage().ToByteArray();
        var forged = log.Head.ToMessage();
        forged.TreeSize = 1_000_000;
        await UntilAsync(async () => await lab.Redis.Database.StringGetAsync(key) == newest, 20);

        foreach (
            var bytes in new[] { log.Heads[0].ToMessage().ToByteArray(), forged.ToByteArray(), "garbage"u8.ToArray(), new byte[100_000] })
        {
            await lab.Redis.Database.StringSetAsync(key, bytes);
            await lab.Redis.Database.PublishAsync(RedisChannel.Literal("trustix-proxy:told"), $"view {log.Signer.Key.LogId}");
            await UntilAsync(async () => await lab.Redis.Database.StringGetAsync(key) == newest, 20);
        }

        foreach (var replica in lab.Replicas)
        {
            Assert.NotNull(await replica.NarInfoAsync(lab.Outputs[1]));
            Assert.Contains("alice: 2 entries", (await replica.RunAsync("logs")).OrThrow().Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_log_that_shows_two_replicas_two_histories_is_frozen_by_both_and_its_votes_are_void()
    {
        await using var lab = await ReplicaLab.StartAsync(replicas: 0);
        await using var other = await FakeLog.StartAsync();
        other.Show(lab.Logs["alice"].Log.Fork(1));
        other.Publish(lab.Outputs[1].Forge().Statement);
        lab.Logs["bob"].Lie = LogLie.Reset; // so that alice is needed
        var first = await lab.AddReplicaAsync();
        Assert.NotNull(await first.NarInfoAsync(lab.Outputs[0]));
        await UntilAsync(() => lab.Redis.Keys("*:view:*").Count > 0, 20);

        var second = await lab.AddReplicaAsync(configuration => configuration["logs"]![0]!["url"] = other.Url.ToString());

        foreach (var replica in new[] { first, second })
        {
            await UntilAsync(
                async () => (await replica.RunAsync("logs")).Output.Contains("frozen: split-view", StringComparison.Ordinal), 30);
            await UntilAsync(async () => (await replica.AskAsync(lab.Outputs[0])).Decision is "undecided", 30);
        }
    }

    [Fact]
    public async Task Revocations_of_hundreds_of_megabytes_cost_a_replica_no_memory_and_true_ones_come_through()
    {
        await using var lab = await ReplicaLab.StartAsync(replicas: 1);
        var (replica, output) = (lab.Replicas[0], lab.Outputs[0]);
        Assert.NotNull(await replica.NarInfoAsync(output));
        Assert.Equal(0, (await replica.RunAsync("revoke", output.Path.Absolute, "--reason", "no")).Code);
        await UntilAsync(() => lab.Redis.Keys("*revocations").Count is 1);
        var (key, before) = (lab.Redis.Keys("*revocations").Single(), replica.PeakMemory());
        for (var i = 0; i < 25; i++)
        {
            await lab.Redis.Database.HashSetAsync(key, $"path {i}", new byte[10_000_000]);
        }

        await UntilAsync(async () => await lab.Redis.Database.HashLengthAsync(key) is 1, 120); // the replica has put it right
        var fresh = await lab.AddReplicaAsync();

        await UntilAsync(async () => (await fresh.AskAsync(output)).Decision is "revoked", 120);
        Assert.InRange(replica.PeakMemory() - before, 0, 80);
    }

    [Fact]
    public async Task A_forged_revocation_of_a_megabyte_is_passed_over_and_those_beside_it_are_read()
    {
        await using var lab = await ReplicaLab.StartAsync(replicas: 1);
        var (replica, output) = (lab.Replicas[0], lab.Outputs[0]);
        Assert.Equal(0, (await replica.RunAsync("revoke", output.Path.Absolute, "--reason", "no")).Code);
        await UntilAsync(() => lab.Redis.Keys("*revocations").Count is 1);
        await lab.Redis.Database.HashSetAsync(lab.Redis.Keys("*revocations").Single(), "path x", new byte[1 << 20]);

        var fresh = await lab.AddReplicaAsync();

        await UntilAsync(async () => (await fresh.AskAsync(output)).Decision is "revoked", 30);
        await UntilAsync(() => fresh.LinesOf("Redis holds 1 revocations").Any(), 30);
    }

    [Fact]
    public async Task Decisions_of_many_megabytes_are_read_a_few_at_a_time()
    {
        await using var lab = await ReplicaLab.StartAsync(replicas: 1, outputs: 16);
        await DecidedAsync(lab);
        foreach (var key in lab.Redis.Keys("*:d:*").Concat(lab.Redis.Keys("*:b:*")))
        {
            await lab.Redis.Database.StringSetAsync(key, new byte[16 << 20]);
        }

        var fresh = await lab.AddReplicaAsync();
        var before = fresh.PeakMemory();

        Assert.All(await Task.WhenAll(lab.Outputs.Select(fresh.NarInfoAsync)), Assert.NotNull);

        Assert.InRange(fresh.PeakMemory() - before, 0, 256); // all of them are 512 MiB
    }

    /// <summary>Has the first replica decide on everything; gives the keys of the records, in the order of the outputs.</summary>
    private static async Task<List<RedisKey>> DecidedAsync(ReplicaLab lab)
    {
        Assert.All(await Task.WhenAll(lab.Outputs.Select(lab.Replicas[0].NarInfoAsync)), Assert.NotNull);
        await UntilAsync(() => lab.Redis.Keys("*:d:*").Count == lab.Outputs.Count && lab.Redis.Keys("*:b:*").Count == lab.Outputs.Count);
        return [.. lab.Outputs.Select(output => Key(lab, "d", output))];
    }

    private static RedisKey Key(ReplicaLab lab, string kind, TestOutput output) =>
        lab.Redis.Keys($"*:{kind}:*:{output.Path.Digest}").Single();

    private static RedisKey Bundle(RedisKey record) => record.ToString().Replace(":d:", ":b:", StringComparison.Ordinal);
}
