using System.Diagnostics;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Redis;

/// <summary>Replicas share decisions, and none serves an agreement before its logs have held the votes for the demanded age.</summary>
public sealed class MinimumAgeReplicaTests
{
    private static readonly TimeSpan Age = TimeSpan.FromSeconds(4);

    [Fact]
    public async Task No_replica_serves_an_agreement_before_its_age_also_through_the_record_of_another()
    {
        await using var lab = await StartAsync(Age, Age);
        var (output, since) = await PublishAsync(lab);

        var first = await ServedAsync(lab.Replicas[0], output, since);
        await UntilAsync(() => lab.Redis.Keys("*:d:*").Count > 0);
        var asked = lab.Questions("alice");

        Assert.NotNull(await lab.Replicas[1].NarInfoAsync(output));
        Assert.Equal(asked, lab.Questions("alice"));
        Assert.True(first >= Age, $"served after {first}");
    }

    [Fact]
    public async Task A_replica_that_is_killed_serves_nothing_younger_when_it_is_back_nor_do_the_others()
    {
        await using var lab = await StartAsync(Age, Age);
        var (warm, earlier) = await PublishAsync(lab);
        await Task.WhenAll(lab.Replicas.Select(replica => ServedAsync(replica, warm, earlier)));
        var (output, since) = await PublishAsync(lab);
        Assert.All(await Task.WhenAll(lab.Replicas.Select(replica => replica.NarInfoAsync(output))), Assert.Null);

        await lab.Replicas[0].KillAsync();
        await lab.Replicas[0].StartAsync();
        var served = await Task.WhenAll(lab.Replicas.Select(replica => ServedAsync(replica, output, since)));

        Assert.All(served, time => Assert.True(time >= Age, $"served after {time}"));
    }

    [Fact]
    public async Task The_record_of_a_replica_that_demands_less_is_not_taken()
    {
        await using var lab = await StartAsync(TimeSpan.Zero, Age, TimeSpan.FromDays(1));
        var (output, since) = await PublishAsync(lab);
        await ServedAsync(lab.Replicas[0], output, since);
        await UntilAsync(() => lab.Redis.Keys("*:d:*").Count > 0);

        var served = await ServedAsync(lab.Replicas[1], output, since);

        Assert.True(served >= Age, $"served after {served}");
        Assert.Null(await lab.Replicas[2].NarInfoAsync(output));
        Assert.Contains("votes that their logs have held for 1.00:00:00", (await lab.Replicas[2].AskAsync(output)).Text,
            StringComparison.Ordinal);
    }

    /// <summary>Starts a replica for each age that its policy demands.</summary>
    private static async Task<ReplicaLab> StartAsync(params TimeSpan[] ages)
    {
        var lab = await ReplicaLab.StartAsync(replicas: 0, outputs: 1);
        foreach (var age in ages)
        {
            await lab.AddReplicaAsync(configuration => configuration["policy"]!["minimumAge"] = $"{age:c}");
        }

        return lab;
    }

    /// <summary>Publishes an output that the replicas have not heard of, in every log.</summary>
    private static async Task<(TestOutput Output, long Since)> PublishAsync(ReplicaLab lab)
    {
        var (output, since) = (TestOutput.Make(), Stopwatch.GetTimestamp());
        lab.Upstream.Add(output);
        foreach (var log in lab.Logs.Values)
        {
            log.Publish(output.Statement);
        }

        foreach (var replica in lab.Replicas)
        {
            Assert.Null(await replica.NarInfoAsync(TestOutput.Make())); // an absence has the heads fetched
        }

        return (output, since);
    }

    /// <summary>Asks until the output is served; returns the time since its publication.</summary>
    private static async Task<TimeSpan> ServedAsync(Replica replica, TestOutput output, long since)
    {
        await UntilAsync(async () =>
        {
            await replica.NarInfoAsync(TestOutput.Make());
            return await replica.NarInfoAsync(output) is not null;
        }, 60);
        return Stopwatch.GetElapsedTime(since);
    }
}
