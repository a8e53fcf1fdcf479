using System.Globalization;
using StackExchange.Redis;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Redis.Chaos;

/// <summary>The Redis of the chaos: a primary and a replica, watched by three Sentinels. What is broken is the primary of that
/// moment.</summary>
internal sealed class ChaosRedis(RedisFarm farm) : IAsyncDisposable
{
    /// <summary>The password of all servers that hold data.</summary>
    public const string Password = "chaos";

    /// <summary>The proxies' <c>redis.configuration</c>.</summary>
    public string Configuration => farm.Configuration;

    public static async Task<ChaosRedis> StartAsync() => new(await RedisFarm.SentinelAsync(Password));

    /// <summary>Kills the primary, so that Sentinels name another; the result brings it back, empty, as a replica.</summary>
    public async Task<Func<Task>> KillAsync()
    {
        var port = await PrimaryAsync();
        await farm.KillAsync(port);
        return () => farm.ReviveAsync(port);
    }

    /// <summary>Kills all servers that hold data; the result brings them back, empty.</summary>
    public async Task<Func<Task>> KillAllAsync()
    {
        await Task.WhenAll(farm.Ports.Select(farm.KillAsync));
        return () => Task.WhenAll(farm.Ports.Select(farm.ReviveAsync));
    }

    /// <summary>Stops the primary; the result lets it go on.</summary>
    public async Task<Func<Task>> StopAsync()
    {
        var port = await PrimaryAsync();
        await farm.SignalAsync(port, "-STOP");
        return () => farm.SignalAsync(port, "-CONT");
    }

    /// <summary>Lets the primary take nothing more; the result makes room again.</summary>
    public async Task<Func<Task>> FillAsync()
    {
        var server = farm.ServerOf(await PrimaryAsync(), Password);
        var used = long.Parse(server.Info("memory").Single().Single(line => line.Key is "used_memory").Value, CultureInfo.InvariantCulture);
        await server.ConfigSetAsync("maxmemory-policy", "noeviction");
        await server.ConfigSetAsync("maxmemory", (used / 2).ToString(CultureInfo.InvariantCulture));
        return () => server.ConfigSetAsync("maxmemory", "0");
    }

    /// <summary>Flips a bit of each value.</summary>
    public Task FlipAsync() => OnValuesAsync("*", values =>
    {
        foreach (var bytes in values.Where(bytes => bytes.Length > 0))
        {
            bytes[Random.Shared.Next(bytes.Length)] ^= (byte)(1 << Random.Shared.Next(8));
        }

        return values;
    });

    /// <summary>Puts each record, and each bundle, under the next one's path.</summary>
    public async Task SwapAsync()
    {
        await OnValuesAsync("*:d:*", values => [.. values.Skip(1), .. values.Take(1)]);
        await OnValuesAsync("*:b:*", values => [.. values.Skip(1), .. values.Take(1)]);
    }

    public ValueTask DisposeAsync() => farm.DisposeAsync();

    private async Task OnValuesAsync(string pattern, Func<List<byte[]>, List<byte[]>> change)
    {
        try
        {
            var port = await PrimaryAsync();
            var database = farm.Connect(port, Password);
            var keys = new List<RedisKey>();
            var values = new List<byte[]>();
            foreach (var key in farm.Keys(port, pattern, Password))
            {
                if (await database.KeyTypeAsync(key) is RedisType.String && (byte[]?)await database.StringGetAsync(key) is { } value)
                {
                    keys.Add(key);
                    values.Add(value);
                }
            }

            foreach (var (key, value) in keys.Zip(change(values)))
            {
                await database.StringSetAsync(key, value);
            }
        }
        catch (Exception exception) when (exception is RedisException or RedisTimeoutException)
        {
            // Sentinel made it a replica meanwhile, which ends its connections: what was changed until then stays changed.
        }
    }

    /// <summary>The port of the server that now takes writes. Sentinel tries again after ten seconds if it could not name one.</summary>
    private async Task<int> PrimaryAsync()
    {
        int? primary = null;
        await UntilAsync(async () =>
        {
            foreach (var port in farm.Ports)
            {
                var role = await Shell.RunAsync("redis-cli", ["-p", $"{port}", "--no-auth-warning", "-a", Password, "role"]);
                primary = role.Output.StartsWith("master", StringComparison.Ordinal) ? port : primary;
            }

            return primary is not null;
        }, seconds: 120);
        return primary!.Value;
    }
}
