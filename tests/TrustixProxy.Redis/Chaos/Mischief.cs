using System.Diagnostics;
using StackExchange.Redis;
using TrustixProxy.Testing;

namespace TrustixProxy.Redis.Chaos;

/// <summary>Breaks one part after the other, several at once, and mends each after a while. What it does follows from the seed; when
/// exactly it happens does not.</summary>
internal sealed class Mischief(ChaosLab lab, Outages outages, int seed)
{
    /// <summary>The most parts that are broken at once.</summary>
    private const int AtOnce = 3;

    private static readonly LogLie[] LogLies =
        [LogLie.Rollback, LogLie.ForgedSignature, LogLie.StaleRoot, LogLie.PaddingBits, LogLie.SurplusProofNode, LogLie.WrongValue,
            LogLie.NoValue, LogLie.Hang, LogLie.Reset, LogLie.Html, LogLie.Drip, LogLie.Huge, LogLie.Truncated];

    private static readonly UpstreamLie[] UpstreamLies =
        [UpstreamLie.Unavailable, UpstreamLie.Hang, UpstreamLie.Reset, UpstreamLie.Html, UpstreamLie.Drip, UpstreamLie.Huge,
            UpstreamLie.FlippedByte, UpstreamLie.ShortFile, UpstreamLie.LongFile, UpstreamLie.CutFile, UpstreamLie.OtherFile,
            UpstreamLie.NoFile];

    /// <summary>Once, Redis is stopped for as long, if there is time for more than that.</summary>
    private static readonly TimeSpan LongStop = TimeSpan.FromSeconds(30);

    private readonly Random _random = new(seed);

    /// <summary>Goes on until it is time to stop, and until all is mended.</summary>
    public async Task RunAsync(TimeSpan duration)
    {
        var (start, running) = (Stopwatch.GetTimestamp(), new List<Task>());
        var stopped = duration > LongStop ? WhileAsync(
            "redis", $"stopped for {LongStop.TotalSeconds} s", LongStop, lab.Redis.StopAsync, lab.Redis.ContinueAsync) : Task.CompletedTask;
        while (Stopwatch.GetElapsedTime(start) < duration)
        {
            running.RemoveAll(fault => fault.IsCompletedSuccessfully);
            if (running.Count < AtOnce)
            {
                running.Add(BreakAsync(TimeSpan.FromMilliseconds(_random.Next(300, 3000))));
            }

            await Task.Delay(_random.Next(200, 1000));
        }

        await Task.WhenAll(running.Append(stopped));
    }

    private Task BreakAsync(TimeSpan time) => _random.Next(4) switch
    {
        0 => OnReplicaAsync(_random.Next(lab.Replicas.Count), _random.Next(3) > 0, time),
        1 => OnLogAsync(
            lab.Logs.Keys.Order(StringComparer.Ordinal).ElementAt(_random.Next(lab.Logs.Count)), _random.Next(LogLies.Length + 4), time),
        2 => OnUpstreamAsync(_random.Next(lab.Upstreams.Count), _random.Next(UpstreamLies.Length + 3), time),
        _ => OnRedisAsync(_random.Next(5), time),
    };

    private Task OnReplicaAsync(int number, bool isKilled, TimeSpan time)
    {
        var replica = lab.Replicas[number];
        return outages.CountBroken("replica") > 1 ? Task.CompletedTask
            : isKilled ? WhileAsync($"replica {number}", "killed", time, replica.KillAsync, replica.StartAsync)
            : WhileAsync($"replica {number}", "stopped", time, () => replica.SignalAsync("-STOP"), () => replica.SignalAsync("-CONT"));
    }

    private Task OnLogAsync(string name, int how, TimeSpan time)
    {
        var log = lab.Logs[name];
        return how < LogLies.Length ? WhileAsync(
            $"log {name}", $"lies: {LogLies[how]}", time, () => Set(() => log.Lie = LogLies[how]), () => Set(() => log.Lie = LogLie.None))
            : how % 2 is 0 ? WhileAsync($"log {name}", "away", time, log.StopAsync, log.RestartAsync)
            : WhileAsync($"log {name}", "slow", time, () => Set(() => log.Delay = time), () => Set(() => log.Delay = TimeSpan.Zero));
    }

    private Task OnUpstreamAsync(int number, int how, TimeSpan time)
    {
        var (part, upstream) = ($"upstream {number}", lab.Upstreams[number]);
        return how < UpstreamLies.Length ? WhileAsync(part, $"lies: {UpstreamLies[how]}", time, () =>
            Set(() => upstream.Lie = UpstreamLies[how]), () => Set(() => upstream.Lie = UpstreamLie.None))
            : how == UpstreamLies.Length
                ? WhileAsync(part, "slow", time, () => Set(() => upstream.Delay = time), () => Set(() => upstream.Delay = TimeSpan.Zero))
            : WhileAsync(part, "away", time, upstream.StopAsync, upstream.RestartAsync);
    }

    private Task OnRedisAsync(int how, TimeSpan time) => how switch
    {
        0 => WhileAsync("redis", "killed, and back empty", time, lab.Redis.KillAsync, lab.Redis.ReviveAsync),
        1 => WhileAsync("redis", "stopped", time, lab.Redis.StopAsync, lab.Redis.ContinueAsync),
        2 => WhileAsync("redis", "full", time, lab.Redis.FillAsync, lab.Redis.EmptyAsync),
        3 => WhileAsync("redis", "a bit of every record flipped", TimeSpan.Zero, FlipAsync, () => Task.CompletedTask),
        _ => WhileAsync("redis", "records put under other paths", TimeSpan.Zero, SwapAsync, () => Task.CompletedTask),
    };

    /// <summary>Breaks a part that is whole, and mends it.</summary>
    private async Task WhileAsync(string part, string how, TimeSpan time, Func<Task> begin, Func<Task> end)
    {
        if (outages.IsBroken(part))
        {
            return;
        }

        var outage = outages.Begin(part, how);
        await begin();
        await Task.Delay(time);
        await end();
        outage.End();
    }

    private async Task FlipAsync()
    {
        foreach (var key in lab.Redis.Keys())
        {
            if (await lab.Redis.Database.KeyTypeAsync(key) is RedisType.String
                && (byte[]?)await lab.Redis.Database.StringGetAsync(key) is { Length: > 0 } bytes)
            {
                bytes[Random.Shared.Next(bytes.Length)] ^= (byte)(1 << Random.Shared.Next(8));
                await lab.Redis.Database.StringSetAsync(key, bytes);
            }
        }
    }

    private async Task SwapAsync()
    {
        foreach (var kind in new[] { "d", "b" })
        {
            var keys = lab.Redis.Keys($"*:{kind}:*");
            var values = await Task.WhenAll(keys.Select(key => lab.Redis.Database.StringGetAsync(key)));
            await Task.WhenAll(keys.Select((key, i) => lab.Redis.Database.StringSetAsync(key, values[(i + 1) % values.Length])));
        }
    }

    private static Task Set(Action act)
    {
        act();
        return Task.CompletedTask;
    }
}
