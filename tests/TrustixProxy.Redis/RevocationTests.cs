using System.Diagnostics;
using System.Net;
using StackExchange.Redis;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Redis;

/// <summary>What is revoked on one replica is refused by all, whatever becomes of Redis.</summary>
public sealed class RevocationTests
{
    [Fact]
    public async Task A_path_that_is_revoked_is_refused_by_every_replica_within_a_second_until_that_is_undone()
    {
        await using var lab = await ReplicaLab.StartAsync();
        var (output, other) = (lab.Outputs[0], lab.Outputs[1]);
        var narInfo = await EverywhereAsync(lab, output);
        await EverywhereAsync(lab, other);

        var revoked = await lab.Replicas[0].RunAsync("revoke", output.Path.Absolute, "--reason", "it phones home");

        var since = Stopwatch.GetTimestamp();
        Assert.Equal((0, ""), (revoked.Code, revoked.Error));
        Assert.Contains("no. 1: path", revoked.Output, StringComparison.Ordinal);
        await RefusedEverywhereAsync(lab, output, narInfo, "it phones home");
        Assert.InRange(Stopwatch.GetElapsedTime(since), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.All(await Task.WhenAll(lab.Replicas.Select(replica => replica.NarInfoAsync(other))), Assert.NotNull);
        Assert.Contains("revoked no. 1 path", (await lab.Replicas[1].RunAsync("audit")).Output, StringComparison.Ordinal);

        Assert.Equal(0, (await lab.Replicas[1].RunAsync("revoke", output.Path.Absolute, "--reason", "it does not", "--undo")).Code);

        await UntilAsync(async () => (await lab.Replicas[0].AskAsync(output)).Status is HttpStatusCode.OK);
        Assert.Equal(1, (await lab.Replicas[0].RunAsync("revoke", output.Path.Absolute, "--reason", "again", "--undo")).Code);
    }

    [Fact]
    public async Task A_nar_is_revoked_by_its_hash_and_a_logs_votes_by_their_age()
    {
        await using var lab = await ReplicaLab.StartAsync();
        var (output, young) = (lab.Outputs[0], lab.Outputs[1]);
        var narInfo = await EverywhereAsync(lab, output);
        await EverywhereAsync(lab, young);

        await lab.Replicas[0].RunAsync("revoke", output.Statement.NarHash.ToString(), "--reason", "a bad NAR");
        await lab.Replicas[0].RunAsync("revoke", "--log", "alice", "--since", "1", "--reason", "alice was broken into");
        await lab.Replicas[0].RunAsync("revoke", "--log", "bob", "--since", "1", "--reason", "bob was broken into");

        await RefusedEverywhereAsync(lab, output, narInfo, "a bad NAR");
        foreach (var replica in lab.Replicas)
        {
            await UntilAsync(async () => (await replica.AskAsync(young)).Decision is "undecided");
            Assert.Contains("alice=silent(revoked), bob=silent(revoked)", (await replica.AskAsync(young)).Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_revocation_outlives_an_empty_redis_a_deleted_message_an_old_record_and_restarts()
    {
        await using var lab = await ReplicaLab.StartAsync();
        var output = lab.Outputs[0];
        var narInfo = await EverywhereAsync(lab, output);
        await UntilAsync(() => lab.Redis.Keys("*:d:*").Count is 1);
        var (key, record) = (lab.Redis.Keys("*:d:*").Single(), await lab.Redis.Database.StringGetAsync(lab.Redis.Keys("*:d:*").Single()));
        await lab.Replicas[1].KillAsync();
        await lab.Replicas[0].RunAsync("revoke", output.Path.Absolute, "--reason", "no");
        await lab.Redis.KillAsync();
        await lab.Redis.ReviveAsync();
        await lab.Redis.Database.StringSetAsync(key, record);

        await lab.Replicas[1].StartAsync();

        await RefusedEverywhereAsync(lab, output, narInfo, "no", seconds: 10);
        await lab.Replicas[0].KillAsync();
        await lab.Redis.KillAsync();
        await lab.Replicas[0].StartAsync();
        await RefusedEverywhereAsync(lab, output, narInfo, "no");
    }

    [Fact]
    public async Task Whoever_can_write_to_redis_can_neither_revoke_nor_undo()
    {
        await using var lab = await ReplicaLab.StartAsync();
        var (output, other) = (lab.Outputs[0], lab.Outputs[1]);
        var narInfo = await EverywhereAsync(lab, output);
        await EverywhereAsync(lab, other);
        await lab.Replicas[0].RunAsync("revoke", output.Path.Absolute, "--reason", "no");
        await RefusedEverywhereAsync(lab, output, narInfo, "no");
        var (database, key) = (lab.Redis.Database, lab.Redis.Keys("*revocations").Single());
        byte[] sealedRecord = (await database.HashGetAsync(key, $"path {output.Path.Digest}"))!;

        await database.HashSetAsync(key, $"path {other.Path.Digest}", sealedRecord);
        await database.HashSetAsync(key, $"path {output.Path.Digest}", (byte[])[.. sealedRecord[..^1], (byte)(sealedRecord[^1] ^ 1)]);
        await database.PublishAsync(
            RedisChannel.Literal("trustix-proxy:told"), $"revocation path {other.Path.Digest}|{Convert.ToBase64String(sealedRecord)}");
        await UntilAsync(async () => (await database.HashGetAsync(key, $"path {output.Path.Digest}")) == sealedRecord, 15);

        await RefusedEverywhereAsync(lab, output, narInfo, "no");
        Assert.All(await Task.WhenAll(lab.Replicas.Select(replica => replica.NarInfoAsync(other))), Assert.NotNull);
        await database.KeyDeleteAsync(key);
        await database.StringSetAsync(key, "something else");
        await UntilAsync(async () => await database.KeyTypeAsync(key) is StackExchange.Redis.RedisType.Hash, 15);
    }

    [Fact]
    public async Task Without_a_running_proxy_it_holds_from_the_next_start_on()
    {
        await using var lab = await ReplicaLab.StartAsync(replicas: 1);
        var output = lab.Outputs[0];
        var narInfo = await EverywhereAsync(lab, output);
        await lab.Replicas[0].KillAsync();

        var revoked = await lab.Replicas[0].RunAsync("revoke", output.Path.ToString(), "--reason", "no");
        await lab.Replicas[0].StartAsync();

        Assert.Contains("no proxy listens in this state directory", revoked.Output, StringComparison.Ordinal);
        await RefusedEverywhereAsync(lab, output, narInfo, "no");
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(lab.Replicas[0].State, "control.sock")));
    }

    private static async Task<NarInfo> EverywhereAsync(ReplicaLab lab, TestOutput output)
    {
        var narInfos = await Task.WhenAll(lab.Replicas.Select(replica => replica.NarInfoAsync(output)));
        Assert.All(narInfos, Assert.NotNull);
        return narInfos[0]!;
    }

    private static async Task RefusedEverywhereAsync(ReplicaLab lab, TestOutput output, NarInfo narInfo, string reason, int seconds = 5)
    {
        foreach (var replica in lab.Replicas)
        {
            await UntilAsync(
                async () => await replica.AskAsync(output) is { Status: HttpStatusCode.NotFound, Decision: "revoked" }, seconds);
            var (text, nar) = (await replica.AskAsync(output), await replica.AskAsync(narInfo.Url));
            Assert.Equal((HttpStatusCode.NotFound, "revoked"), (nar.Status, nar.Decision));
            Assert.Matches($"revoked \\(no\\. 1, 20.*Z\\): {reason}\n$", text.Text);
        }
    }
}
