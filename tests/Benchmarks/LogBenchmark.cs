using System.Diagnostics;
using Google.Protobuf;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog.Wire;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.Benchmarks;

/// <summary>The log node at several sizes: writing, reading, storage, memory, start-up; and beside it what the disk can do at
/// all.</summary>
internal static class LogBenchmark
{
    private const int BatchSize = 500;

    /// <summary>Calls before the first measurement: the runtime compiles code again, and better, once it has run some dozen
    /// times.</summary>
    private const int WarmUp = 3000;

    /// <summary>The figures of a large log are shown at each so many entries.</summary>
    private const int Step = 1_000_000;

    public static async Task<int> RunAsync(IReadOnlyList<int> sizes)
    {
        var figures = new Figures();
        var readCpu = new List<(int Entries, double Map, double Lookup)>();
        foreach (var entries in sizes)
        {
            Console.WriteLine($"{entries:N0} entries, values of 300 bytes");
            var directory = Directory.CreateTempSubdirectory("trustix-bench-").FullName;
            try
            {
                var (map, lookup) = await RunAsync(directory, entries, figures);
                readCpu.Add((entries, map, lookup));
            }
            finally
            {
                Directory.Delete(directory, recursive: true);
            }
        }

        if (readCpu is [var first, .., var last])
        {
            figures.AtMost("GetMapValue: growth of CPU over growth of log n",
                last.Map / first.Map / (Math.Log(last.Entries) / Math.Log(first.Entries)), "", 1.2);
        }

        if (readCpu.Find(cpu => cpu.Entries == Step) is { Entries: > 0 } million && readCpu[^1] is { Entries: > Step } large)
        {
            figures.AtMost("GetMapValue: CPU over that at 1,000,000", large.Map / million.Map, "x", 1.3);
            figures.AtMost("Lookup of 100 digests: CPU over that at 1,000,000", large.Lookup / million.Lookup, "x", 1.3);
        }

        return figures.AllMet ? 0 : 1;
    }

    private static async Task<(double Map, double Lookup)> RunAsync(string directory, int entries, Figures figures)
    {
        var (key, token) = (NixSecretKey.Generate("bench"), NixSecretKey.Generate("builder"));
        await File.WriteAllTextAsync(Path.Combine(directory, "log.key"), key.Export());
        File.SetUnixFileMode(Path.Combine(directory, "log.key"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var logId = new LogSigner(key.Key).Key.LogId;
        using (var node = await NodeProcess.StartAsync(directory, token, "01:00:00"))
        using (var client = new LogClient(node, token, logId))
        {
            var (all, slowest) = Fill(client, node, entries);
            figures.AtLeast("submit + flush, batches of 500", all, "entries/s", 20_000);
            if (entries > Step)
            {
                figures.AtLeast("the same, the slowest 1,000,000", slowest, "entries/s", 20_000);
                Figures.Show("two clients at once, 400,000 more", FillTogether(() => new LogClient(node, token, logId), entries + 1),
                    "entries/s");
            }

            var (one, disk) = OneAtATime(() => new LogClient(node, token, logId), directory, entries + 500_000, isFlushing: true);
            Figures.Show("one at a time, Submit and Flush: over the disk's rate", one / disk, $"x {disk:N0}/s");
            figures.AtLeast("the same, 8 clients",
                Rate(() => new LogClient(node, token, logId), entries + 1_000_000, 2000, 8, isFlushing: true), "entries/s", 1000);
            figures.AtMost("memory while writing, at most", node.Memory.Most, "MB", 100);
        }

        using (var node = await NodeProcess.StartAsync(directory, token, "01:00:00", flushInterval: "00:00:00"))
        {
            var (one, disk) = OneAtATime(() => new LogClient(node, token, logId), directory, entries + 2_000_000, isFlushing: false);
            figures.AtLeast("one at a time, flushInterval 0: over the disk's fdatasync rate", one / disk, $"x {disk:N0}/s", 0.3);
        }

        using (var node = await NodeProcess.StartAsync(directory, token, "01:00:00"))
        using (var client = new LogClient(node, token, logId))
        {
            figures.AtMost("start-up", node.Startup.TotalSeconds, "s", 1);
            await UntilReclaimedAsync(directory); // runs of the index are merged
            var (map, lookup) = Read(client, node, logId, entries);
            Figures.Show("while each head's map is kept: GetMapValue, server CPU, median", map, "ms");
            Figures.Show("the same: Lookup of 100 digests", lookup, "ms");
            figures.AtMost("memory while reading, at most", node.Memory.Most, "MB", 100);
        }

        using (var node = await NodeProcess.StartAsync(directory, token, "00:00:01"))
        {
            var watch = Stopwatch.StartNew();
            await UntilReclaimedAsync(directory); // the history window has passed
            Figures.Show("history reclaimed in", watch.Elapsed.TotalSeconds, "s");
            figures.AtMost("memory while reclaiming, at most", node.Memory.Most, "MB", 100);
        }

        using (var node = await NodeProcess.StartAsync(directory, token, "00:00:01"))
        using (var client = new LogClient(node, token, logId))
        {
            var cpu = Read(client, node, logId, entries);
            figures.AtMost("history reclaimed: GetMapValue, server CPU, median", cpu.Map, "ms", 0.2);
            figures.AtMost("the same: Lookup of 100 digests", cpu.Lookup, "ms", 10);
            var size = client.Read("/trustix_api.v1.LogAPI/GetHead", new LogHeadRequest { LogID = logId }, LogHead.Parser).TreeSize;
            figures.AtMost("stored per entry, over key and value", StoredPerEntry(directory, (long)size), "B", 400);
            return cpu;
        }
    }

    /// <summary>Returns how many entries a second are durable under a head, in batches of 500: of all, and of the slowest
    /// 1,000,000.</summary>
    public static (double All, double Slowest) Fill(LogClient client, NodeProcess node, int entries)
    {
        for (var i = 0; i < WarmUp; i++)
        {
            client.Submit(-i, 1);
            client.Flush();
        }

        var (watch, slowest, since) = (new Stopwatch(), double.MaxValue, (Time: TimeSpan.Zero, node.Cpu, node.Bytes));
        for (var first = 1; first <= entries; first += BatchSize)
        {
            var submission = client.Submission(first, Math.Min(BatchSize, entries - first + 1));
            watch.Start();
            client.Submit(submission);
            client.Flush();
            watch.Stop();
            var written = Math.Min(first + BatchSize - 1, entries);
            if (written % Step is 0)
            {
                var now = (Time: watch.Elapsed, node.Cpu, node.Bytes);
                var rate = Step / (now.Time - since.Time).TotalSeconds;
                Console.WriteLine($"  {written,12:N0}: the last {Step:N0} at {rate:N0} entries/s; an entry: server CPU "
                    + $"{(now.Cpu - since.Cpu).TotalMicroseconds / Step:N1} us, {(now.Bytes.Read - since.Bytes.Read) / Step:N0} B read, "
                    + $"{(now.Bytes.Written - since.Bytes.Written) / Step:N0} B written; memory {node.Memory.Now:N0} MB");
                (since, slowest) = (now, Math.Min(slowest, rate));
            }
        }

        return (entries / watch.Elapsed.TotalSeconds, slowest);
    }

    /// <summary>Returns how many entries a second are durable under a head when two clients submit batches at once, as a log takes the
    /// next call while it writes the last. Adds 400,000.</summary>
    private static double FillTogether(Func<LogClient> connect, int from)
    {
        const int Clients = 2, Rounds = 20, Batches = 20;
        var (watch, clients) = (new Stopwatch(), Enumerable.Range(0, Clients).Select(_ => connect()).ToList());
        for (var round = 0; round < Rounds; round++)
        {
            var threads = clients.Select((client, i) =>
            {
                var first = from + (((round * Clients) + i) * Batches * BatchSize);
                var submissions = Enumerable.Range(0, Batches).Select(k => client.Submission(first + (k * BatchSize), BatchSize)).ToList();
                return new Thread(() => submissions.ForEach(submission =>
                {
                    client.Submit(submission);
                    client.Flush();
                }));
            }).ToList();
            watch.Start();
            threads.ForEach(thread => thread.Start());
            threads.ForEach(thread => thread.Join());
            watch.Stop();
        }

        clients.ForEach(client => client.Dispose());
        return Clients * Rounds * Batches * BatchSize / watch.Elapsed.TotalSeconds;
    }

    /// <summary>Each entry durably under a head of its own before the next, by one client; beside it the rate at which the disk makes 4 kB
    /// durable. Medians of five alternating rounds.</summary>
    private static (double Entries, double Disk) OneAtATime(Func<LogClient> connect, string directory, int from, bool isFlushing)
    {
        Rate(connect, from - WarmUp, WarmUp, 1, isFlushing);
        var (one, disk) = (new List<double>(), new List<double>());
        for (var round = 1; round <= 5; round++)
        {
            disk.Add(SyncRate(directory));
            one.Add(Rate(connect, from + (round * 1000), 300, 1, isFlushing));
        }

        return (Figures.Median(one), Figures.Median(disk));
    }

    private static double Rate(Func<LogClient> connect, int from, int count, int clients, bool isFlushing)
    {
        var (next, connected) = (from, Enumerable.Range(0, clients).Select(_ => connect()).ToList());
        var watch = Stopwatch.StartNew();
        var threads = connected.Select(client => new Thread(() =>
        {
            for (var i = 0; i < count / clients; i++)
            {
                client.Submit(Interlocked.Increment(ref next), 1);
                if (isFlushing)
                {
                    client.Flush();
                }
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        connected.ForEach(client => client.Dispose());
        return count / watch.Elapsed.TotalSeconds;
    }

    private static double SyncRate(string directory)
    {
        using var file = File.OpenHandle(Path.Combine(directory, "sync"), FileMode.Create, FileAccess.Write);
        var (block, watch, count) = (new byte[4096], Stopwatch.StartNew(), 0);
        for (; watch.ElapsedMilliseconds < 300; count++)
        {
            RandomAccess.Write(file, block, count * 4096L);
            RandomAccess.FlushToDisk(file);
        }

        return count / watch.Elapsed.TotalSeconds;
    }

    /// <summary>Waits until no file has been written for five seconds: a node that has nothing to reclaim writes nothing.</summary>
    private static async Task UntilReclaimedAsync(string directory)
    {
        var (written, since) = (default(DateTime), Stopwatch.StartNew());
        while (since.Elapsed < TimeSpan.FromSeconds(5))
        {
            await Task.Delay(250);
            var last = Directory.GetFiles(Path.Combine(directory, "state")).Max(File.GetLastWriteTimeUtc);
            if (last > written)
            {
                (written, since) = (last, Stopwatch.StartNew());
            }
        }
    }

    private static long Stored(string directory) =>
        Directory.GetFiles(Path.Combine(directory, "state")).Sum(file => new FileInfo(file).Length);

    private static double StoredPerEntry(string directory, long entries)
    {
        var stored = Stored(directory);
        var (_, key, value) = LogClient.Entry((int)(entries / 2));
        return ((double)stored / entries) - key.Length - value.Length;
    }

    /// <summary>CPU of the node for reads, each of random keys, in milliseconds.</summary>
    private static (double Map, double Lookup) Read(LogClient client, NodeProcess node, string logId, int entries)
    {
        var head = client.Read("/trustix_api.v1.LogAPI/GetHead", new LogHeadRequest { LogID = logId }, LogHead.Parser);
        var random = new Random(7);
        var map = Cpu(3000, () => client.Read(
            "/trustix_api.v1.LogAPI/GetMapValue",
            new GetMapValueRequest
            {
                LogID = logId,
                Key = ByteString.CopyFrom(LogClient.Entry(random.Next(entries)).Key),
                MapRoot = head.MapRoot
            },
            MapValueResponse.Parser));
        var lookup = Cpu(100, () => client.Read(
            "/trustix_proxy.v1.LookupAPI/Lookup",
            new LookupRequest
            {
                LogID = logId,
                PathDigests = { Enumerable.Range(0, 100).Select(_ => LogClient.Entry(random.Next(entries)).Path.Digest.ToString()) }
            },
            LookupResponse.Parser));
        return (map, lookup);

        // The clock of CPU time ticks 100 times a second: the median is over rounds of many calls.
        double Cpu(int calls, Action call)
        {
            var rounds = new List<double>();
            for (var round = 0; round < 6; round++)
            {
                var before = node.Cpu;
                for (var i = 0; i < calls; i++)
                {
                    call();
                }

                rounds.Add((node.Cpu - before).TotalMilliseconds / calls);
            }

            return Figures.Median(rounds.Skip(1)); // the first warms up
        }
    }
}
