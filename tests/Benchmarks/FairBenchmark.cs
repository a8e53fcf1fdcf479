using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TrustixProxy.Nix;

namespace TrustixProxy.Benchmarks;

/// <summary>One client asks for 10,000 paths that nobody has asked for before; meanwhile another asks for ten, again and again. Upstream
/// and logs are 50 ms away.</summary>
internal static class FairBenchmark
{
    private const int Crowd = 10_000, Connections = 1000, Few = 10, Rounds = 20;

    private static readonly TimeSpan RoundTrip = TimeSpan.FromMilliseconds(50);

    public static async Task<int> RunAsync()
    {
        var directory = Directory.CreateTempSubdirectory("trustix-fair-").FullName;
        var figures = new Figures();
        try
        {
            await using var stage = await ColdStage.MakeAsync(directory, Crowd + (4 * Rounds * Few), singles: Crowd + (3 * Rounds * Few));
            await RunAsync(stage, directory, figures);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }

        return figures.AllMet ? 0 : 1;
    }

    private static async Task RunAsync(ColdStage stage, string directory, Figures figures)
    {
        using var upstream = new DelayRelay(stage.Upstream, RoundTrip);
        var relays = stage.Logs.Select(log => new DelayRelay(log.Url, RoundTrip)).ToList();
        using var proxy = await ProxyProcess.StartAsync(
            directory, upstream.Url, stage.Logs.Zip(relays, (log, relay) => new BenchLog(log.Name, relay.Url, log.PublicKey)));
        using var greedy = ClientAt("127.0.0.2", proxy.Url);
        using var modest = ClientAt("127.0.0.3", proxy.Url);
        var paths = new Queue<StorePath>(stage.Singles);
        for (var i = 0; i < Rounds; i++)
        {
            await TimeAsync(modest, Take(paths, Few)); // code is compiled, connections are open
        }

        var alone = new List<double>();
        for (var i = 0; i < Rounds; i++)
        {
            alone.Add(await TimeAsync(modest, Take(paths, Few)));
        }

        var crowd = TimeAsync(greedy, Take(paths, Crowd));
        var beside = new List<double>();
        while (beside.Count < Rounds && !crowd.IsCompleted)
        {
            beside.Add(await TimeAsync(modest, Take(paths, Few)));
        }

        Figures.Show($"{Few} cold paths alone, p50 and worst of {alone.Count}", Median(alone), $"ms, {alone.Max():0} ms");
        Figures.Show($"the same beside a client with {Crowd:N0} on {Connections:N0} connections, p50 and worst of {beside.Count}",
            Median(beside), $"ms, {beside.Max():0} ms");
        figures.AtMost("delay by the other client, p50", Median(beside) - Median(alone), "ms", 100);
        Figures.Show($"the {Crowd:N0} took", await crowd / 1000, "s");
        relays.ForEach(relay => relay.Dispose());
    }

    private static List<StorePath> Take(Queue<StorePath> paths, int count) => [.. Enumerable.Range(0, count).Select(_ => paths.Dequeue())];

    /// <summary>Milliseconds until a client has the narinfos of all these paths, asked for at once.</summary>
    private static async Task<double> TimeAsync(HttpClient client, List<StorePath> paths)
    {
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(paths.Select(path => client.GetByteArrayAsync($"/{path.Digest}.narinfo")));
        return watch.Elapsed.TotalMilliseconds;
    }

    private static HttpClient ClientAt(string address, Uri proxy) => new(new SocketsHttpHandler
    {
        MaxConnectionsPerServer = Connections,
        ConnectCallback = async (_, cancellation) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
            await socket.ConnectAsync(proxy.Host, proxy.Port, cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    { BaseAddress = proxy, Timeout = TimeSpan.FromMinutes(5) };

    private static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);
}
