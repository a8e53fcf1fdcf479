namespace TrustixProxy.Benchmarks;

/// <summary>10,000 connections, or so many, that stay open and ask now and then, and 1,000 NARs on their way at once; beside nginx, with
/// the memory of both.</summary>
internal static class LoadBenchmark
{
    /// <summary>How many connections there are unless told.</summary>
    public const int DefaultConnections = 10_000;

    private const int Rounds = 6, HotSet = 10_000, Streams = 1000, Late = 200, Nars = 10, NarSize = 8_000_000;

    /// <param name="connections">How many connections stay open.</param>
    public static async Task<int> RunAsync(int connections)
    {
        if (!Tools.AreThere(("nginx", "nginx-light"), ("zstd", "zstd")))
        {
            return 2;
        }

        var most = connections + Streams + Late;
        if (OpenFiles < most + 1000)
        {
            Console.Error.WriteLine($"A process may open {OpenFiles:N0} files here. Raise the limit first: ulimit -n {most + 1000}");
            return 2;
        }

        var figures = new Figures();
        using var state = new SeededState();
        state.Decide(HotSet);
        var files = Directory.CreateDirectory(Path.Combine(state.Directory, "files", "nar")).Parent!.FullName;
        var nars = new List<NarBenchmark.Published>();
        for (var i = 0; i < Nars; i++)
        {
            var nar = await NarBenchmark.MakeAsync(files, $"load-{i}", NarSize);
            nars.Add(NarBenchmark.Publish(state, files, HotSet + i, "none", nar, nar));
        }

        using var nginx = await Nginx.StartAsync(Path.Combine(state.Directory, "nginx"), files, null);
        using var proxy = await ServeProcess.StartAsync(
            state, nginx.Static, limits: new { concurrency = Streams, connections = most, connectionsPerClient = most });
        string[] paths = [.. Enumerable.Range(0, HotSet).Select(i => $"/{SeededState.PathOf(i).Digest}.narinfo")];
        using (var client = new HttpClient())
        {
            foreach (var path in paths)
            {
                await File.WriteAllBytesAsync(files + path, await client.GetByteArrayAsync(new Uri(proxy.Url, path)));
            }
        }

        foreach (
            var (name, url, server) in new[] { ("ours", proxy.Url, proxy.Measured), ("nginx, static files", nginx.Static, nginx.Measured) })
        {
            Hold(name, url, server, connections, paths, figures);
        }

        foreach (var (name, url, server, of) in new[] { ("ours", proxy.Url, proxy.Measured, (Func<NarBenchmark.Published, string>)(
            nar => nar.Served)), ("nginx, proxy_pass", nginx.Forward, nginx.Measured, nar => nar.Path) })
        {
            Stream(name, url, server, [.. nars.Select(nar => $"/{of(nar)}")], nars[0].Size, figures);
        }

        return figures.AllMet ? 0 : 1;
    }

    /// <summary>Maximum open files of this process, and of those that it starts.</summary>
    private static int OpenFiles
    {
        get
        {
            var limit = File.ReadLines("/proc/self/limits").First(line => line.StartsWith("Max open files", StringComparison.Ordinal));
            var hard = limit.Split(' ', StringSplitOptions.RemoveEmptyEntries)[4];
            return int.TryParse(hard, out var files) ? files : int.MaxValue;
        }
    }

    private static void Hold(string name, Uri url, MeasuredProcess server, int connections, string[] paths, Figures figures)
    {
        Warm(url, paths);
        var before = server.FamilyMemory;
        var sockets = LoadClient.Connect(url, connections);
        var crowd = LoadClient.Ask(sockets, Rounds, paths);
        var after = server.FamilyMemory;
        Console.WriteLine($"{name}: {connections:N0} connections that stay open, each asks for {Rounds} narinfos in turn, 32 at once");
        Figures.Show("answers per second", crowd.Latencies.Count / crowd.Seconds, "");
        Figures.Show("p50", crowd.Percentile(0.5), "ms");
        Figures.Show("p99", crowd.Percentile(0.99), "ms");
        figures.AtMost("errors", crowd.Errors, "", 0);
        Figures.Show("memory before, and with them", before, $"MB, {after:N0} MB");
        Figures.Show("memory for a connection", (after - before) * 1024 / connections, "kB");
        sockets.ForEach(socket => socket.Dispose());
    }

    private static void Stream(string name, Uri url, MeasuredProcess server, string[] paths, long size, Figures figures)
    {
        var warm = LoadClient.Connect(url, Nars);
        LoadClient.Download(warm, paths, size, () => { });
        warm.ForEach(socket => socket.Dispose());
        var (before, during) = (server.FamilyMemory, 0.0);
        var sockets = LoadClient.Connect(url, Streams + Late, receiveBuffer: 64 << 10);
        var crowd = LoadClient.Download(sockets, paths, size, () => during = server.FamilyMemory);
        Console.WriteLine($"{name}: {Streams + Late:N0} downloads of {size / 1e6:N0} MB begun together, all at the same pace; ours answers "
            + $"limits.concurrency = {Streams:N0} at once");
        Figures.Show("MB per second, all together", (Streams + Late) * size / 1e6 / crowd.Seconds, "");
        Figures.Show("until the first and the last had it all", crowd.Percentile(0) / 1000, $"s, {crowd.Percentile(1) / 1000:0.0} s");
        figures.AtMost("errors", crowd.Errors, "", 0);
        Figures.Show("memory before, and while all run", before, $"MB, {during:N0} MB");
        figures.AtMost("memory for a NAR on its way, at most", (Math.Max(during, server.Memory.Most) - before) / Streams, "MB", 4);
        sockets.ForEach(socket => socket.Dispose());
    }

    private static void Warm(Uri url, string[] paths)
    {
        var sockets = LoadClient.Connect(url, 64);
        LoadClient.Ask(sockets, 500, paths);
        sockets.ForEach(socket => socket.Dispose());
    }
}
