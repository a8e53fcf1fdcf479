using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using TrustixProxy.Nix;

namespace TrustixProxy.Benchmarks;

/// <summary>What clients can cause by asking for what is refused: state on the disk, messages, and requests to upstreams and
/// logs.</summary>
internal static class NetworkRefusals
{
    private const int Paths = 10_000, Clients = 100, PerSecond = 50;

    private static readonly TimeSpan Time = TimeSpan.FromSeconds(60);

    /// <summary>(f) Misses by one client, each for another path.</summary>
    public static async Task RandomMissesAsync(Figures figures)
    {
        using var directory = new ScratchDirectory();
        await using var logs = await NetworkLogs.StartAsync(directory.Path);
        await using var upstream = await NetworkUpstream.StartAsync(directory.Path);
        using var proxy = await ProxyProcess.StartAsync(directory.Path, [("main", upstream.Url)], logs.All);
        await NetworkMisses.AskAsync(proxy.Url, 1, 1);
        await Task.Delay(TimeSpan.FromSeconds(6)); // for the first heads, and one poll more: what they write is no client's doing
        var (state, messages) = (new DirectoryInfo(Path.Combine(directory.Path, "proxy")), proxy.Lines.Count);
        var before = SizeOf(state);
        var seconds = await NetworkMisses.AskAsync(proxy.Url, Paths, 16);
        await Task.Delay(TimeSpan.FromSeconds(11)); // for what is written later, and for messages that are counted and then told
        Figures.Show($"{Paths:N0} random misses, 16 at once", seconds, "s");
        figures.AtMost("the state directory has grown by", SizeOf(state) - before, "B", 0);
        figures.AtMost("messages", proxy.Lines.Count - messages, "", 10);
    }

    /// <summary>(g) Refused paths, of which an upstream has half and the logs none, asked for again and again.</summary>
    public static async Task AskedAgainAsync(Figures figures)
    {
        using var directory = new ScratchDirectory();
        await using var logs = await NetworkLogs.StartAsync(directory.Path);
        await using var having = await NetworkUpstream.StartAsync(directory.Path);
        await using var lacking = await NetworkUpstream.StartAsync(directory.Path);
        StorePath[] paths = [.. Enumerable.Range(0, Paths).Select(_ => NetworkUpstream.RandomPath())];
        foreach (var path in paths.Take(Paths / 2))
        {
            having.Offer(NarInfoOf(path));
        }

        using var proxy = await ProxyProcess.StartAsync(directory.Path, [("having", having.Url), ("lacking", lacking.Url)], logs.All);
        using var client = new HttpClient { BaseAddress = proxy.Url };
        await Parallel.ForEachAsync(
            paths, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (path, _) => await AskAsync(client, path));
        await Task.Delay(TimeSpan.FromSeconds(3)); // each has been refused once, and all those refusals are due again
        having.Forget();
        lacking.Forget();
        logs.Forget();
        var (watch, answers, messages) = (Stopwatch.StartNew(), 0, proxy.Lines.Count);
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(i => Task.Run(async () =>
        {
            for (var turn = i * (Paths / Clients); watch.Elapsed < Time; turn++)
            {
                await AskAsync(client, paths[turn % Paths]);
                Interlocked.Increment(ref answers);
            }
        })));

        var budget = (PerSecond * watch.Elapsed.TotalSeconds) + PerSecond; // as many at once after a pause
        Figures.Show(
            $"refusals by {Clients} clients in {watch.Elapsed.TotalSeconds:0.0} s", answers, $"({proxy.Lines.Count - messages} messages)");
        figures.AtMost("requests to the upstream that has half of them", having.NarInfoRequests, "", budget);
        figures.AtMost("requests to the upstream that has none", lacking.NarInfoRequests, "", budget);
        foreach (var log in logs.All)
        {
            figures.AtMost($"requests to {log.Name}, without polls for its head", logs.Lookups(log.Name), "", budget);
            Console.WriteLine($"    {logs.Describe(log.Name)}");
        }
    }

    private static async Task AskAsync(HttpClient client, StorePath path)
    {
        using var response = await client.GetAsync($"/{path.Digest}.narinfo");
        if (response.StatusCode is not HttpStatusCode.NotFound)
        {
            throw new InvalidOperationException($"the answer for a path that no log has was {(int)response.StatusCode}");
        }
    }

    private static NarInfo NarInfoOf(StorePath path) => new()
    {
        StorePath = path,
        Url = $"nar/{path.Digest}.nar",
        Compression = "none",
        NarHash = NixHash.Sha256(SHA256.HashData(path.Digest.ToBytes())),
        NarSize = 1000,
        References = [],
    };

    private static long SizeOf(DirectoryInfo directory) =>
        directory.EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);
}
