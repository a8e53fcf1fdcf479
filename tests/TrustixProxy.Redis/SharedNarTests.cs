using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Redis;

/// <summary>Replicas that share NARs in a bucket agree through Redis on who uploads.</summary>
public sealed class SharedNarTests
{
    [Fact]
    public async Task Of_a_race_of_fifty_each_nar_is_uploaded_once_though_the_bucket_knows_no_conditions()
    {
        await using var bucket = await FakeBucket.StartAsync();
        bucket.Lie = BucketLie.IgnoresConditions;
        await using var lab = await ReplicaLab.StartAsync(replicas: 0, outputs: 50);
        for (var i = 0; i < 3; i++)
        {
            await lab.AddReplicaAsync(configuration =>
                configuration["narStore"] = ReplicaLab.StoreIn(bucket, configuration["stateDirectory"]!.GetValue<string>()));
        }

        await Task.WhenAll(lab.Outputs.SelectMany(output => lab.Replicas.Select(async replica =>
        {
            var narInfo = await replica.NarInfoAsync(output);
            Assert.Equal(System.Net.HttpStatusCode.OK, (await replica.AskAsync(narInfo!.Url)).Status);
        })));
        await UntilAsync(() => bucket.Objects.Keys.Count(name => name.EndsWith(".narinfo", StringComparison.Ordinal)) is 50, 60);

        var nars = bucket.Uploads.Where(upload => upload.Key.StartsWith("nar/", StringComparison.Ordinal)).ToList();
        Assert.Equal(50, nars.Count);
        Assert.All(nars, upload => Assert.True(upload.Value is 1, $"{upload.Key} was uploaded {upload.Value} times"));
    }

    [Fact]
    public async Task An_upload_that_failed_is_made_by_another_replica()
    {
        await using var bucket = await FakeBucket.StartAsync();
        bucket.Lie = BucketLie.Full;
        await using var lab = await ReplicaLab.StartAsync(replicas: 0, outputs: 1);
        var (first, second) = (await AddAsync(), await AddAsync());
        await FetchAsync(first);
        await UntilAsync(() => first.Lines.Contains("gets no NARs for", StringComparison.Ordinal));
        bucket.Lie = BucketLie.None;

        await FetchAsync(second);

        await UntilAsync(() => bucket.Objects.Keys.Any(name => name.EndsWith(".narinfo", StringComparison.Ordinal)));

        Task<Replica> AddAsync() => lab.AddReplicaAsync(configuration =>
            configuration["narStore"] = ReplicaLab.StoreIn(bucket, configuration["stateDirectory"]!.GetValue<string>()));

        async Task FetchAsync(Replica replica)
        {
            var narInfo = await replica.NarInfoAsync(lab.Outputs[0]);
            Assert.Equal(System.Net.HttpStatusCode.OK, (await replica.AskAsync(narInfo!.Url)).Status);
        }
    }
}
