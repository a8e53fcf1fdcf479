using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Benchmarks;

/// <summary>1,000 narinfos in one write on one connection, beside nginx. What is asked is 50 ms away, behind relays in this
/// process.</summary>
internal static class PipelineBenchmark
{
    private const int Narinfos = 1000, ColdRounds = 3, WarmRounds = 15;

    private static readonly TimeSpan RoundTrip = TimeSpan.FromMilliseconds(50);

    /// <summary>Narinfos of Nix, decided by three logs.</summary>
    public static async Task<int> RunAsync()
    {
        using var directory = new ScratchDirectory();
        await using var stage = await ColdStage.MakeAsync(directory.Path, 10_000);
        using var upstream = new DelayRelay(stage.Upstream, RoundTrip);
        var relays = stage.Logs.Select(log => new DelayRelay(log.Url, RoundTrip)).ToList();
        using var nginx = await Nginx.StartAsync(Path.Combine(directory.Path, "nginx"), directory.Path, upstream.Url);
        using var proxy = await ProxyProcess.StartAsync(Path.Combine(directory.Path, "proxy"), upstream.Url,
            stage.Logs.Zip(relays, (log, relay) => new BenchLog(log.Name, relay.Url, log.PublicKey)));
        var figures = new Figures();
        await MeasureAsync(figures, nginx, proxy, [.. stage.Singles.Chunk(Narinfos)]);
        relays.ForEach(relay => relay.Dispose());
        return figures.AllMet ? 0 : 1;
    }

    /// <summary>Narinfos of GNU Guix, decided by two farms that sign with Ed25519; nginx is in front of one. Then the rates of
    /// signatures.</summary>
    public static async Task<int> GuixAsync()
    {
        using var directory = new ScratchDirectory();
        await using var alice = await FakeFarm.StartAsync("alice");
        await using var bob = await FakeFarm.StartAsync("bob");
        var outputs = Enumerable.Range(0, (1 + ColdRounds) * Narinfos).Select(i => TestOutput.Make($"package-{i}", size: 2)).ToList();
        Parallel.ForEach(outputs, output =>
        {
            alice.Add(output, null, null, "none");
            bob.Add(output, null, null, "none");
        });
        using var near = new DelayRelay(alice.Url, RoundTrip);
        using var far = new DelayRelay(bob.Url, RoundTrip);
        using var nginx = await Nginx.StartAsync(Path.Combine(directory.Path, "nginx"), directory.Path, near.Url);
        (string Name, Uri Url, string Key)[] farms = [
            ("alice", near.Url, $"{alice.Key.PublicKey}"), ("bob", far.Url, $"{bob.Key.PublicKey}")];
        var state = Path.Combine(directory.Path, "proxy");
        using var proxy = await ProxyProcess.StartAsync(state, new
        {
            store = "/gnu/store",
            listen = new[] { "http://127.0.0.1:0" },
            operations = new { listen = Array.Empty<string>() },
            stateDirectory = state,
            upstreams = farms.Select(farm => new { name = farm.Name, url = farm.Url }),
            caches = farms.Select(farm => new { name = farm.Name, url = farm.Url, publicKeys = new[] { farm.Key } }),
            policy = new { quorum = 2 },
        });
        var figures = new Figures();
        await MeasureAsync(figures, nginx, proxy, [.. outputs.Select(FakeFarm.PathOf).Chunk(Narinfos)]);
        GuixSignatures.Measure(figures);
        return figures.AllMet ? 0 : 1;
    }

    private static async Task MeasureAsync(Figures figures, Nginx nginx, ProxyProcess proxy, IReadOnlyList<StorePath[]> parts)
    {
        var theirs = await PipelinedClient.AskAsync(nginx.Cache, parts[0]);
        await PipelinedClient.AskAsync(proxy.Url, parts[0]);
        var ours = new List<double>();
        for (var round = 1; round <= ColdRounds; round++)
        {
            ours.Add(await PipelinedClient.AskAsync(proxy.Url, parts[round]));
        }

        Figures.Show("cold narinfos of one pipeline: nginx", theirs, "s");
        figures.AtMost("cold narinfos of one pipeline: the proxy, the worst", ours.Max(), "s", 3);
        figures.AtMost("the same over nginx's", ours.Max() / theirs, "times", 0.1);
        var ratios = new List<double>();
        for (var round = 0; round < WarmRounds; round++)
        {
            ratios.Add(await PipelinedClient.AskAsync(nginx.Cache, parts[0]) / await PipelinedClient.AskAsync(proxy.Url, parts[0]));
        }

        figures.AtLeast("warm narinfos of one pipeline: rate over nginx's", Figures.Median(ratios), "times", 0.9);
    }
}
