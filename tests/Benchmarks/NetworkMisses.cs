using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace TrustixProxy.Benchmarks;

/// <summary>What broken upstreams cost: paths that nobody has, and addresses that do not answer. The living upstream and the logs are 50 ms
/// away.</summary>
internal static class NetworkMisses
{
    /// <summary>A name with an IPv6 and an IPv4 address.</summary>
    private const string TwoAddresses = "two-addresses.test";

    private const int Rounds = 5, Misses = 200, AtOnce = 25;

    private static readonly TimeSpan RoundTrip = TimeSpan.FromMilliseconds(50);

    /// <summary>(a) Misses with one dead, one hanging and one living upstream, beside nginx that forwards to the living one
    /// alone.</summary>
    public static async Task MissesAsync(Figures figures)
    {
        using var directory = new ScratchDirectory();
        await using var logs = await NetworkLogs.StartAsync(directory.Path);
        await using var upstream = await NetworkUpstream.StartAsync(directory.Path);
        using var living = new DelayRelay(upstream.Url, RoundTrip);
        var relays = logs.All.Select(log => new DelayRelay(log.Url, RoundTrip)).ToList();
        BenchLog[] far = [.. logs.All.Zip(relays, (log, relay) => log with { Url = relay.Url })];
        using var hanging = new Socket(SocketType.Stream, ProtocolType.Tcp);
        hanging.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        hanging.Listen(512); // the system accepts, and nobody ever reads
        (string, Uri)[] upstreams = [
            ("dead", new Uri($"http://127.0.0.1:{ClosedPort()}")), ("hanging", UrlOf(hanging)), ("living", living.Url)];
        using var nginx = await Nginx.StartAsync(Path.Combine(directory.Path, "nginx"), directory.Path, living.Url);

        await AskAsync(nginx.Forward, AtOnce, AtOnce);
        var (ours, theirs, first) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            theirs.Add(await AskAsync(nginx.Forward, Misses, AtOnce));
            using var proxy = await ProxyProcess.StartAsync(Path.Combine(directory.Path, $"{round}"), upstreams, far);
            first.Add(await AskAsync(proxy.Url, 1, 1));
            await AskAsync(proxy.Url, 3, 1); // with the first: more than three failures
            await AskAsync(proxy.Url, AtOnce, AtOnce); // opens connections, as nginx has them
            ours.Add(await AskAsync(proxy.Url, Misses, AtOnce));
        }

        relays.ForEach(relay => relay.Dispose());
        figures.AtMost("the first miss after a start, the worst of five", first.Max(), "s", 1);
        Figures.Show($"{Misses} misses, {AtOnce} at once: ours", Figures.Median(ours), $"s, nginx {Figures.Median(theirs):0.000} s");
        figures.AtMost("ours over nginx's", Figures.Median(ours.Zip(theirs, (mine, other) => mine / other)), "times", 1.2);
    }

    /// <summary>(e) The first narinfo from an upstream whose IPv6 address swallows connections, beside one that has IPv4 alone.</summary>
    public static async Task DeadAddressAsync(Figures figures)
    {
        using var directory = new ScratchDirectory();
        var hosts = Path.Combine(directory.Path, "hosts");
        await File.WriteAllTextAsync(hosts, $"::1 {TwoAddresses}\n127.0.0.1 {TwoAddresses}\n");
        await using var logs = await NetworkLogs.StartAsync(directory.Path);
        await using var upstream = await NetworkUpstream.StartAsync(directory.Path);
        using var swallowing = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
        swallowing.Bind(new IPEndPoint(IPAddress.IPv6Loopback, upstream.Url.Port));
        swallowing.Listen(0);
        using var filling = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
        await filling.ConnectAsync(IPAddress.IPv6Loopback, upstream.Url.Port); // the backlog is full: from now on nothing is answered
        var (both, one) = (new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var (times, host) in new[] { (both, TwoAddresses), (one, "127.0.0.1") })
            {
                var name = Path.Combine(directory.Path, $"{host}-{round}");
                (string, Uri)[] upstreams = [("main", new Uri($"http://{host}:{upstream.Url.Port}"))];
                using var proxy = await ProxyProcess.StartAsync(name, upstreams, logs.All, hosts);
                times.Add(await AskAsync(proxy.Url, 1, 1));
            }
        }

        Figures.Show("the first miss with both addresses", Figures.Median(both), $"s, with IPv4 alone {Figures.Median(one):0.000} s");
        figures.AtMost("the first miss, later by", Figures.Median(both) - Figures.Median(one), "s", 0.35);
    }

    /// <summary>Asks for narinfos that nobody has; gives seconds.</summary>
    internal static async Task<double> AskAsync(Uri cache, int count, int atOnce)
    {
        using var client = new HttpClient { BaseAddress = cache };
        var watch = Stopwatch.StartNew();
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = atOnce }, async (_, end) =>
        {
            using var response = await client.GetAsync($"/{NetworkUpstream.RandomPath().Digest}.narinfo", end);
            if (response.StatusCode is not HttpStatusCode.NotFound)
            {
                throw new InvalidOperationException($"{cache} answered {(int)response.StatusCode} for a path that nobody has");
            }
        });
        return watch.Elapsed.TotalSeconds;
    }

    private static int ClosedPort()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private static Uri UrlOf(Socket socket) => new($"http://127.0.0.1:{((IPEndPoint)socket.LocalEndPoint!).Port}");
}
