namespace TrustixProxy.Benchmarks;

/// <summary>Narinfos that are in memory, beside nginx that serves the same bytes out of its cache and as files; and what more decisions on
/// disk change of it.</summary>
internal static class WarmBenchmark
{
    private const int HotSet = 10_000, Rounds = 5;

    private static readonly TimeSpan Time = TimeSpan.FromSeconds(2);

    public static async Task<int> RunAsync()
    {
        if (!Tools.AreThere(("nginx", "nginx-light"), ("wrk", "wrk")))
        {
            return 2;
        }

        var figures = new Figures();
        using var state = new SeededState();
        state.Decide(HotSet);
        using var proxy = await ServeProcess.StartAsync(state, new Uri("http://127.0.0.1:1"));
        string[] paths = [.. Enumerable.Range(0, HotSet).Select(i => $"/{SeededState.PathOf(i).Digest}.narinfo")];
        var files = Directory.CreateDirectory(Path.Combine(state.Directory, "files")).FullName;
        var wrk = new Wrk(state.Directory, paths);
        using (var client = new HttpClient())
        {
            foreach (var path in paths)
            {
                await File.WriteAllBytesAsync(files + path, await client.GetByteArrayAsync(new Uri(proxy.Url, path)));
            }
        }

        using var nginx = await Nginx.StartAsync(Path.Combine(state.Directory, "nginx"), files, proxy.Url);
        await CompareAsync(proxy, nginx, wrk, figures);
        figures.AtMost("memory after that, at most", proxy.Measured.Memory.Most, "MB", 200);
        await GrowAsync(wrk, figures);
        return figures.AllMet ? 0 : 1;
    }

    private static async Task CompareAsync(ServeProcess proxy, Nginx nginx, Wrk wrk, Figures figures)
    {
        foreach (var (url, server) in new[] { (proxy.Url, proxy.Measured), (nginx.Cache, nginx.Measured), (nginx.Static, nginx.Measured) })
        {
            // fills caches; and the runtime compiles code again, and better, once it has run often
            await wrk.LoadAsync(url, server, 64, Time);
        }

        foreach (var connections in new[] { 64, 1 })
        {
            var (ours, cache, file) = (new List<Load>(), new List<Load>(), new List<Load>());
            for (var round = 0; round < Rounds; round++)
            {
                ours.Add(await wrk.LoadAsync(proxy.Url, proxy.Measured, connections, Time));
                cache.Add(await wrk.LoadAsync(nginx.Cache, nginx.Measured, connections, Time));
                file.Add(await wrk.LoadAsync(nginx.Static, nginx.Measured, connections, Time));
            }

            double Ratio(List<Load> others, Func<Load, double> of) =>
                Figures.Median(ours.Zip(others, (mine, other) => of(mine) / of(other)));
            Console.WriteLine($"{connections} connection{(connections is 1 ? "" : "s")}, {HotSet:N0} narinfos of 700 bytes");
            Figures.Show("answers per second: ours", Figures.Median(ours.Select(load => load.Rate)), $"nginx proxy_cache "
                + $"{Figures.Median(cache.Select(load => load.Rate)):N0}, static {Figures.Median(file.Select(load => load.Rate)):N0}");
            if (connections is 1)
            {
                figures.AtMost("server CPU per answer", Figures.Median(ours.Select(load => load.Cpu)), "us",
                    Figures.Median(cache.Select(load => load.Cpu)));
            }
            else
            {
                figures.AtLeast("answers per second over nginx proxy_cache's", Ratio(cache, load => load.Rate), "", 1.0);
                figures.AtLeast("answers per second over nginx's with static files", Ratio(file, load => load.Rate), "", 0.8);
                figures.AtMost("p99 over nginx proxy_cache's", Ratio(cache, load => load.P99),
                    $"({Figures.Median(ours.Select(load => load.P99)):0.00} ms)", 1.2);
                figures.AtMost("server CPU per answer", Figures.Median(ours.Select(load => load.Cpu)), "us", 35);
                Figures.Show("  nginx proxy_cache's", Figures.Median(cache.Select(load => load.Cpu)), "us");
            }
        }
    }

    /// <summary>The same hot set where it is all that was ever decided, and where it is a small part.</summary>
    private static async Task GrowAsync(Wrk wrk, Figures figures)
    {
        var latencies = new List<double>();
        foreach (var decisions in new[] { 10_000, 100_000, 1_000_000 })
        {
            using var state = new SeededState();
            state.Decide(decisions);
            using var proxy = await ServeProcess.StartAsync(state, new Uri("http://127.0.0.1:1"));
            await wrk.LoadAsync(proxy.Url, proxy.Measured, 64, Time);
            var loads = new List<Load>();
            for (var round = 0; round < 3; round++)
            {
                loads.Add(await wrk.LoadAsync(proxy.Url, proxy.Measured, 64, Time));
            }

            latencies.Add(64_000 / Figures.Median(loads.Select(load => load.Rate)));
            Figures.Show($"mean latency at 64 connections, {decisions:N0} decisions", latencies[^1], "ms");
        }

        figures.AtMost("mean latency, the largest over the smallest", latencies.Max() / latencies.Min(), "", 1.3);
    }
}
