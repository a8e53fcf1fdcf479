using System.Diagnostics;
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

    private static readonly BucketLie[] BucketLies =
        [BucketLie.Busy, BucketLie.Full, BucketLie.Hang, BucketLie.Altered, BucketLie.Swapped, BucketLie.Cut, BucketLie.IgnoresConditions];

    /// <summary>Once, Redis is stopped for as long, if there is time for more than that.</summary>
    private static readonly TimeSpan LongStop = TimeSpan.FromSeconds(30);

    private readonly Random _random = new(seed);

    /// <summary>Goes on until it is time to stop, and until all is mended.</summary>
    public async Task RunAsync(TimeSpan duration)
    {
        var (start, running) = (Stopwatch.GetTimestamp(), new List<Task>());
        var stopped = duration > LongStop ? WhileAsync(
            "redis", $"primary stopped for {LongStop.TotalSeconds} s", LongStop, lab.Redis.StopAsync) : Task.CompletedTask;
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

    private Task BreakAsync(TimeSpan time) => _random.Next(5) switch
    {
        0 => OnReplicaAsync(_random.Next(lab.Replicas.Count), _random.Next(3) > 0, time),
        1 => OnLogAsync(
            lab.Logs.Keys.Order(StringComparer.Ordinal).ElementAt(_random.Next(lab.Logs.Count)), _random.Next(LogLies.Length + 4), time),
        2 => OnUpstreamAsync(_random.Next(lab.Upstreams.Count), _random.Next(UpstreamLies.Length + 3), time),
        3 => OnBucketAsync(_random.Next(BucketLies.Length + 2), time),
        _ => OnRedisAsync(_random.Next(6), time),
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
        0 => WhileAsync("redis", "primary killed, and back as a replica", time, lab.Redis.KillAsync),
        1 => WhileAsync("redis", "primary stopped", time, lab.Redis.StopAsync),
        2 => WhileAsync("redis", "primary full", time, lab.Redis.FillAsync),
        3 => WhileAsync("redis", "all killed, and back empty", time, lab.Redis.KillAllAsync),
        4 => WhileAsync("redis", "a bit of every record flipped", TimeSpan.Zero, lab.Redis.FlipAsync, () => Task.CompletedTask),
        _ => WhileAsync("redis", "records put under other paths", TimeSpan.Zero, lab.Redis.SwapAsync, () => Task.CompletedTask),
    };

    private Task OnBucketAsync(int how, TimeSpan time) => how < BucketLies.Length
        ? WhileAsync("bucket", $"lies: {BucketLies[how]}", time, () => Set(() => lab.Bucket.Lie = BucketLies[how]),
            () => Set(() => lab.Bucket.Lie = BucketLie.None))
        : how == BucketLies.Length ? WhileAsync("bucket", "slow", time, () => Set(() => lab.Bucket.Delay = time),
            () => Set(() => lab.Bucket.Delay = TimeSpan.Zero))
        : WhileAsync("bucket", "away", time, lab.Bucket.StopAsync, lab.Bucket.RestartAsync);

    private Task WhileAsync(string part, string how, TimeSpan time, Func<Task> begin, Func<Task> end) =>
        WhileAsync(part, how, time, async () =>
        {
            await begin();
            return end;
        });

    /// <summary>Breaks a part that is whole, and mends it by what breaking it returns.</summary>
    private async Task WhileAsync(string part, string how, TimeSpan time, Func<Task<Func<Task>>> begin)
    {
        if (outages.IsBroken(part))
        {
            return;
        }

        var outage = outages.Begin(part, how);
        var end = await begin();
        await Task.Delay(time);
        await end();
        outage.End();
    }

    private static Task Set(Action act)
    {
        act();
        return Task.CompletedTask;
    }
}
