using System.Collections.Concurrent;
using System.Diagnostics;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Benchmarks;

/// <summary>Decisions that nobody has made before: round trips, bytes, a whole closure beside nginx, and the same from mirrors. Upstream
/// and logs are 50 ms away, behind relays in this process.</summary>
internal sealed class ColdBenchmark(ColdStage stage, string directory, Figures figures)
{
    private const int Runs = 5, Connections = 25;

    private static readonly TimeSpan RoundTrip = TimeSpan.FromMilliseconds(50);

    private int _next;

    /// <param name="entries">How many entries the largest log has.</param>
    /// <param name="isMirrorsOnly">Whether nothing but decisions from mirrors is measured.</param>
    public static async Task<int> RunAsync(int entries, bool isMirrorsOnly)
    {
        var directory = Directory.CreateTempSubdirectory("trustix-cold-").FullName;
        var figures = new Figures();
        try
        {
            Console.WriteLine($"3 logs, one of {entries:N0} entries; {RoundTrip.TotalMilliseconds} ms to each log and to the upstream");
            await using var stage = await ColdStage.MakeAsync(directory, entries);
            await new ColdBenchmark(stage, directory, figures).RunAsync(isMirrorsOnly);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }

        return figures.AllMet ? 0 : 1;
    }

    /// <summary>Decisions by logs whose heads two of three witnesses must have seen.</summary>
    public static async Task WitnessedAsync(string directory, Figures figures)
    {
        Directory.CreateDirectory(directory);
        await using var stage = await ColdStage.MakeAsync(directory, 10_000, isWitnessed: true);
        using var upstream = new DelayRelay(stage.Upstream, RoundTrip);
        var relays = stage.Logs.Select(log => new DelayRelay(log.Url, RoundTrip)).ToList();
        var logs = stage.Logs.Zip(relays, (log, relay) => new BenchLog(log.Name, relay.Url, log.PublicKey)
        {
            Witnesses = ColdStage.WitnessesOf(log.Name, directory),
        });
        var benchmark = new ColdBenchmark(stage, directory, figures);
        using var proxy = await benchmark.StartAsync(upstream.Url, logs);
        await benchmark.LatencyAsync(proxy, 20);
        var p50 = await benchmark.LatencyAsync(proxy, 60);
        figures.AtMost("cold decision, witnessed logs, p50", p50 / RoundTrip.TotalMilliseconds, "trips", 1.1);
        relays.ForEach(relay => relay.Dispose());
    }

    private async Task RunAsync(bool isMirrorsOnly)
    {
        using var upstream = new DelayRelay(stage.Upstream, RoundTrip);
        var relays = stage.Logs.Select(log => new DelayRelay(log.Url, RoundTrip)).ToList();
        var logs = stage.Logs.Zip(relays, (log, relay) => new BenchLog(log.Name, relay.Url, log.PublicKey)).ToList();
        var mirrored = logs.Select(log => log with { IsMirrored = true }).ToList();
        if (isMirrorsOnly)
        {
            await MirrorAsync(mirrored, relays);
            relays.ForEach(relay => relay.Dispose());
            return;
        }

        await HeadPollsAsync(upstream, logs, relays[0]);
        await LightAsync(upstream, logs, relays[0]);
        await ReferenceAsync(upstream);
        await ClosureAsync(upstream, logs, relays[0], "our logs", 1.25);
        await MirrorAsync(mirrored, relays);
        await ClosureAsync(upstream, mirrored, relays[0], "mirrors", 1.05);
        relays.ForEach(relay => relay.Dispose());
    }

    /// <summary>A proxy that starts asks each log for its head once: unchanged, and grown by an entry.</summary>
    private async Task HeadPollsAsync(DelayRelay upstream, List<BenchLog> logs, DelayRelay relay)
    {
        (await StartAsync(upstream.Url, logs)).Dispose();
        figures.AtMost("head poll, unchanged", await BytesAsync(), "B", 500);
        stage.Logs[0].Client.Submit(2_000_000_000, 1);
        stage.Logs[0].Client.Flush();
        figures.AtMost("head poll, grown", await BytesAsync(), "B", 2500);

        async Task<double> BytesAsync()
        {
            var before = relay.Bytes;
            using var proxy = await StartAsync(upstream.Url, logs, keep: true);
            return relay.Bytes - before;
        }
    }

    private async Task LightAsync(DelayRelay upstream, List<BenchLog> logs, DelayRelay relay)
    {
        using var proxy = await StartAsync(upstream.Url, logs);
        await LatencyAsync(proxy, 20);
        var before = relay.Bytes;
        var p50 = await LatencyAsync(proxy, 60);
        figures.AtMost("cold decision, our logs, p50", p50 / RoundTrip.TotalMilliseconds, "trips", 1.2);
        figures.AtMost("bytes to and from a log, one at a time", (relay.Bytes - before) / 60.0, "B", 3500);
    }

    private async Task ReferenceAsync(DelayRelay upstream)
    {
        var relays = new List<DelayRelay>();
        foreach (var log in stage.Logs)
        {
            relays.Add(new DelayRelay(await stage.WithoutLookupAsync(log.Url), RoundTrip));
        }

        using var proxy = await StartAsync(
            upstream.Url, stage.Logs.Zip(relays, (log, relay) => new BenchLog(log.Name, relay.Url, log.PublicKey)));
        await LatencyAsync(proxy, 20);
        figures.AtMost(
            "cold decision, reference calls, name unknown, p50", await LatencyAsync(proxy, 60) / RoundTrip.TotalMilliseconds, "trips", 3.2);
        relays.ForEach(relay => relay.Dispose());
    }

    private async Task MirrorAsync(List<BenchLog> logs, List<DelayRelay> relays)
    {
        // Followed once from the logs themselves, and timed; then asked, with relays to count what the logs see.
        var direct = logs.Zip(stage.Logs, (log, real) => log with { Url = real.Url }).ToList();
        var size = (long)stage.Logs[0].Client.Read( // before its node closes the idle connection
            "/trustix_api.v1.LogAPI/GetHead", new LogHeadRequest { LogID = stage.Logs[0].Client.LogId }, LogHead.Parser).TreeSize;
        var watch = Stopwatch.StartNew();
        double memory;
        using (var proxy = await StartAsync(stage.Upstream, direct))
        {
            await UntilAsync(
                () => logs.All(log => proxy.Lines.Any(line => line.Contains($"Mirror of {log.Name}: all", StringComparison.Ordinal))));
            memory = proxy.Memory.Most;
        }

        figures.AtMost($"three mirrors followed, the largest of {size:N0} entries", watch.Elapsed.TotalSeconds, "s",
            size > 1_100_000 ? 600 : 90);
        figures.AtMost("memory while following, at most", memory, "MB", 120);
        var stored = Directory.GetFiles(Path.Combine(directory, "proxy", "mirrors"), $"{stage.Logs[0].Client.LogId}.*")
            .Sum(file => new FileInfo(file).Length);
        figures.AtMost("mirror on disk per entry", (double)stored / size, "B", 160);
        using (var proxy = await StartAsync(stage.Upstream, logs, keepMirrors: true))
        {
            await LatencyAsync(proxy, 6000); // other paths, as a proxy that has run for a day has decided on: its code is compiled
            await Task.Delay(TimeSpan.FromSeconds(1));
            var before = relays.Sum(relay => relay.Bytes);
            figures.AtMost("cold decision, mirrors, upstream on loopback, p50", await LatencyAsync(proxy, 400), "ms", 1);
            Figures.Show("  the upstream's answer alone, asked directly, p50", await LatencyAsync(stage.Upstream, 400), "ms");
            Console.WriteLine($"  bytes to and from all logs meanwhile (the head polls of every 5 s, if one fell into it): "
                + $"{relays.Sum(relay => relay.Bytes) - before:N0}");
        }
    }

    /// <summary>The closure through nginx and through a proxy that knows nothing yet, in turn.</summary>
    private async Task ClosureAsync(DelayRelay upstream, List<BenchLog> logs, DelayRelay relay, string what, double bar)
    {
        using var process = await Nginx.StartAsync(Path.Combine(directory, $"nginx-{logs[0].IsMirrored}"), directory, upstream.Url);
        var nginx = process.Forward;
        await WalkAsync(nginx);
        var (ratios, ours, theirs, bytes) = (new List<double>(), new List<double>(), new List<double>(), 0L);
        for (var run = 0; run < Runs; run++)
        {
            theirs.Add(await WalkAsync(nginx));
            using var proxy = await StartAsync(upstream.Url, logs, keepMirrors: true);
            await LatencyAsync(proxy, 20);
            var before = relay.Bytes;
            ours.Add(await WalkAsync(proxy.Url));
            bytes += relay.Bytes - before;
            ratios.Add(ours[^1] / theirs[^1]);
        }

        figures.AtMost($"closure of 1,000, {what}: {Median(ours):0.00} s, nginx {Median(theirs):0.00} s", Median(ratios), "x", bar);
        if (!logs[0].IsMirrored)
        {
            figures.AtMost("bytes to and from a log per decision, in batches", (double)bytes / Runs / ColdStage.ClosureSize, "B", 2500);
        }
    }

    /// <summary>Asks for narinfos as Nix does: those that an answer refers to, each once, over so many connections. Gives
    /// seconds.</summary>
    private async Task<double> WalkAsync(Uri cache)
    {
        using var client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = Connections }) { BaseAddress = cache };
        using var turns = new SemaphoreSlim(Connections);
        var (seen, watch) = (new ConcurrentDictionary<StorePath, bool>(), Stopwatch.StartNew());
        await VisitAsync(stage.Root);
        return seen.Count == ColdStage.ClosureSize ? watch.Elapsed.TotalSeconds
            : throw new InvalidOperationException($"the walk found {seen.Count} paths");

        async Task VisitAsync(StorePath path)
        {
            if (!seen.TryAdd(path, true))
            {
                return;
            }

            await turns.WaitAsync();
            byte[] text;
            try
            {
                text = await client.GetByteArrayAsync($"/{path.Digest}.narinfo");
            }
            finally
            {
                turns.Release();
            }

            await Task.WhenAll(NarInfo.TryParse(text, out var narInfo, out var error) ? narInfo.References.Select(VisitAsync)
                : throw new InvalidOperationException($"{error}"));
        }
    }

    /// <summary>Median over paths that were never asked for, one at a time, in milliseconds.</summary>
    private Task<double> LatencyAsync(ProxyProcess proxy, int count) => LatencyAsync(proxy.Url, count);

    private async Task<double> LatencyAsync(Uri cache, int count)
    {
        using var client = new HttpClient { BaseAddress = cache };
        var times = new List<double>();
        for (var i = 0; i < count; i++)
        {
            var watch = Stopwatch.StartNew();
            await client.GetByteArrayAsync($"/{stage.Singles[_next++ % stage.Singles.Count].Digest}.narinfo");
            times.Add(watch.Elapsed.TotalMilliseconds);
        }

        return Median(times);
    }

    /// <summary>A proxy that has decided nothing yet, with its views of the logs up to date.</summary>
    private async Task<ProxyProcess> StartAsync(Uri upstream, IEnumerable<BenchLog> logs, bool keep = false, bool keepMirrors = false)
    {
        var state = Path.Combine(directory, "proxy");
        if (!keep && Directory.Exists(state))
        {
            foreach (var file in Directory.GetFiles(state, "state.sqlite*"))
            {
                File.Delete(file);
            }

            if (!keepMirrors && Directory.Exists(Path.Combine(state, "mirrors")))
            {
                Directory.Delete(Path.Combine(state, "mirrors"), recursive: true);
            }
        }

        var proxy = await ProxyProcess.StartAsync(directory, upstream, logs);
        await Task.Delay(TimeSpan.FromMilliseconds(600)); // for the first heads
        _next = 0;
        return proxy;
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        while (!isSo())
        {
            await Task.Delay(10);
        }
    }

    private static double Median(IEnumerable<double> numbers) => numbers.Order().ToList() is var sorted ? sorted[sorted.Count / 2] : 0;
}
