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
}
