using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

[assembly: CollectionBehavior(DisableTestParallelization = true)] // each has several processes, and some measure time

namespace TrustixProxy.Redis;

/// <summary>What replicas have of each other through Redis.</summary>
public sealed class SharingTests
{
    [Fact]
    public async Task What_one_replica_has_decided_another_serves_without_asking_a_log()
    {
        await using var lab = await ReplicaLab.StartAsync();
        var output = lab.Outputs[0];
        Assert.NotNull(await lab.Replicas[0].NarInfoAsync(output));
        await UntilAsync(() => lab.Redis.Keys("*:d:*").Count > 0);
        var asked = lab.Questions("alice");

        Assert.NotNull(await lab.Replicas[1].NarInfoAsync(output));

        Assert.Equal(asked, lab.Questions("alice"));
        Assert.Contains(output.Path.ToString(), (await lab.Replicas[1].RunAsync("audit")).OrThrow().Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_thousand_cold_paths_through_three_replicas_at_once_ask_each_log_once_per_path()
    {
        await using var lab = await ReplicaLab.StartAsync(replicas: 3, outputs: 1001);
        await Task.WhenAll(lab.Replicas.Select(replica => replica.NarInfoAsync(lab.Outputs[0])));
        var before = lab.Logs.Keys.ToDictionary(log => log, lab.Questions);

        await Task.WhenAll(lab.Replicas.Select(replica => Parallel.ForEachAsync(lab.Outputs.Skip(1),
            new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (output, _) => Assert.NotNull(await replica.NarInfoAsync(output)))));

        Assert.All(before, log => Assert.InRange(lab.Questions(log.Key) - log.Value, 0, 1100));
    }

    [Fact]
    public async Task A_redis_with_a_password_is_shared_by_who_has_it()
    {
        await using var lab = await ReplicaLab.StartAsync(replicas: 0);
        await lab.Redis.Server.ConfigSetAsync("requirepass", "secret");
        var file = Path.GetTempFileName(); // 0600
        await File.WriteAllTextAsync(file, "secret\n");

        var replica = await lab.AddReplicaAsync(configuration => configuration["redis"]!["passwordFile"] = file);

        Assert.NotNull(await replica.NarInfoAsync(lab.Outputs[0]));
        File.Delete(file);
    }

    [Fact]
    public async Task A_file_that_one_replica_has_decompressed_is_known_to_all_and_a_forged_record_to_none()
    {
        await using var lab = await ReplicaLab.StartAsync(outputs: 1);
        var output = lab.Outputs[0];
        lab.Upstream.Add(output, "xz");
        using var client = new HttpClient();
        async Task FetchedAsync(Replica replica) =>
            Assert.Equal(
            output.File("xz"), await client.GetByteArrayAsync(new Uri(replica.Url, (await replica.NarInfoAsync(output))!.Url)));

        await FetchedAsync(lab.Replicas[0]);
        await UntilAsync(() => lab.Redis.Keys("*:f:*").Count is 1);
        await FetchedAsync(lab.Replicas[1]);

        byte[] record = (await lab.Redis.Database.StringGetAsync(lab.Redis.Keys("*:f:*").Single()))!;
        record[^1] ^= 1; // another length
        await lab.Redis.Database.StringSetAsync(lab.Redis.Keys("*:f:*").Single(), record);
        await FetchedAsync(await lab.AddReplicaAsync());
    }

    [Fact]
    public async Task An_agreement_on_a_build_trace_is_answered_and_audited_by_all_and_a_forged_record_by_nobody()
    {
        await using var lab = await ReplicaLab.StartAsync(replicas: 0);
        Assert.True(TraceKey.TryParse($"realisations/sha256:{new string('a', 64)}!out.doi", out var key));
        var path = lab.Outputs[0].Path;
        var keys = new[] { "dora", "erik" }.ToDictionary(name => name, NixSecretKey.Generate);
        var caches = new Dictionary<string, FakeUpstream>();
        foreach (var (name, cacheKey) in keys)
        {
            caches[name] = await FakeUpstream.StartAsync();
            caches[name].AddFile($"/{key.Address}", Encoding.ASCII.GetBytes(BuildTrace.Write(key, path, cacheKey)));
        }

        Task<Replica> AddAsync() => lab.AddReplicaAsync(configuration => configuration["caches"] = new JsonArray([.. keys.Select(
            cache => new JsonObject
            {
                ["name"] = cache.Key,
                ["url"] = $"{caches[cache.Key].Url}",
                ["publicKeys"] = new JsonArray($"{cache.Value.PublicKey}"),
            })]));
        var (first, second) = (await AddAsync(), await AddAsync());
        var answer = await first.AskAsync(key.Address);
        Assert.Equal((HttpStatusCode.OK, "agreed"), (answer.Status, answer.Decision));
        await UntilAsync(() => lab.Redis.Keys("*:t:*").Count is 1);
        foreach (var cache in caches.Values)
        {
            cache.AddFile($"/{key.Address}", []);
        }

        Assert.Equal(answer, await second.AskAsync(key.Address));
        foreach (var replica in lab.Replicas)
        {
            var audit = (await replica.RunAsync("audit")).OrThrow().Output;
            Assert.Contains($"\"id\":\"{key.Text}\",\"outPath\":\"{path}\"", audit, StringComparison.Ordinal);
        }

        byte[] record = (await lab.Redis.Database.StringGetAsync(lab.Redis.Keys("*:t:*").Single()))!;
        record[^1] ^= 1;
        await lab.Redis.Database.StringSetAsync(lab.Redis.Keys("*:t:*").Single(), record);
        Assert.Equal(HttpStatusCode.NotFound, (await (await AddAsync()).AskAsync(key.Address)).Status);
        foreach (var cache in caches.Values)
        {
            await cache.DisposeAsync();
        }
    }
}
