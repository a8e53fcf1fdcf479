using System.Text.Json;
using StackExchange.Redis;
using TrustixProxy.IO.Redis;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;
using static TrustixProxy.Testing.RecordedCast;

namespace TrustixProxy.Redis;

/// <summary>What replicas of version 0.1 left in Redis: their revocations hold for a replica of now, and nothing wrong comes from their
/// decisions.</summary>
public sealed class RecordedRedisTests
{
    [Fact]
    public async Task A_replica_without_any_state_takes_over_the_revocations_and_serves_nothing_wrong()
    {
        await using var redis = await RedisServer.StartAsync();
        var recorded = await LoadAsync(redis.Database);
        await using var proxy = await ProxyAsync();
        var change = proxy.Change;
        proxy.Change = options => change(options) with { Redis = new RedisOptions($"127.0.0.1:{redis.Port}") };

        await proxy.StartAsync();
        await UntilAsync(async () => await DecisionOf(RevokedPath) is "revoked");
        await UntilAsync(async () => await DecisionOf(RevokedNar) is "revoked");
        await UntilAsync(
            async () => (await proxy.AskAsync(BehindRevokedLog.Path)).Text.Contains("erin=silent(revoked)", StringComparison.Ordinal));

        Assert.Equal(("agreed", "agreed", "agreed"), (await DecisionOf(Undone), await DecisionOf(Agreed), await DecisionOf(Mirrored)));
        Assert.Equal(("conflict", "undecided"), (await DecisionOf(Voided), await DecisionOf(Refused)));
        Assert.Equal(Agreed.Statement.NarHash, (await proxy.NarInfoAsync(Agreed)).NarHash);
        foreach (var (subject, record) in recorded)
        {
            // a replica of 0.1 still reads it
            Assert.Equal(record, (byte[]?)await redis.Database.HashGetAsync("trustix-proxy:revocations", subject));
        }

        async Task<string?> DecisionOf(TestOutput output) => (await proxy.AskAsync(output.Path)).Decision;
    }

    [Fact]
    public async Task A_recorded_decision_of_one_path_is_none_of_another()
    {
        await using var redis = await RedisServer.StartAsync();
        await LoadAsync(redis.Database);
        var decisions = redis.Keys("*:d:*");
        var agreed = decisions.Single(key => $"{key}".EndsWith($"{Agreed.Path.Digest}", StringComparison.Ordinal));
        foreach (var other in decisions.Where(key => key != agreed))
        {
            await redis.Database.StringSetAsync(other, await redis.Database.StringGetAsync(agreed));
        }

        await using var proxy = await ProxyAsync();
        var change = proxy.Change;
        proxy.Change = options => change(options) with { Redis = new RedisOptions($"127.0.0.1:{redis.Port}") };
        await proxy.StartAsync();
        await UntilAsync(() => proxy.Lines.Any(line => line.Contains("Connected to Redis", StringComparison.Ordinal)));

        Assert.Equal("conflict", (await proxy.AskAsync(Voided.Path)).Decision);
        Assert.Equal("undecided", (await proxy.AskAsync(Refused.Path)).Decision);
    }

    /// <summary>Puts the recording into a Redis; answers the revocations by their subjects.</summary>
    private static async Task<Dictionary<string, byte[]>> LoadAsync(IDatabase database)
    {
        var recording = JsonDocument.Parse(await File.ReadAllBytesAsync($"Vectors/{Folder}/redis.json")).RootElement;
        foreach (var item in recording.GetProperty("strings").EnumerateObject())
        {
            await database.StringSetAsync(item.Name, item.Value.GetBytesFromBase64(), TimeSpan.FromHours(1));
        }

        var hash = recording.GetProperty("hashes").EnumerateObject().Single();
        var revocations = hash.Value.EnumerateObject().ToDictionary(item => item.Name, item => item.Value.GetBytesFromBase64());
        await database.HashSetAsync(hash.Name, [.. revocations.Select(item => new HashEntry(item.Key, item.Value))]);
        return revocations;
    }
}
