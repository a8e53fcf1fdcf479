namespace TrustixProxy.Benchmarks;

/// <summary>1,000 narinfos in one write on one connection, beside nginx. Upstream and logs are 50 ms away, behind relays in this
/// process.</summary>
internal static class PipelineBenchmark
{
    private const int Narinfos = 1000, ColdRounds = 3, WarmRounds = 15;

    private static readonly TimeSpan RoundTrip = TimeSpan.FromMilliseconds(50);

    public static async Task<int> RunAsync()
    {
        using var directory = new ScratchDirectory();
        var figures = new Figures();
        await using var stage = await ColdStage.MakeAsync(directory.Path, 10_000);
        using var upstream = new DelayRelay(stage.Upstream, RoundTrip);
        var relays = stage.Logs.Select(log => new DelayRelay(log.Url, RoundTrip)).ToList();
        using var nginx = await Nginx.StartAsync(Path.Combine(directory.Path, "nginx"), directory.Path, upstream.Url);
        using var proxy = await ProxyProcess.StartAsync(Path.Combine(directory.Path, "proxy"), upstream.Url,
            stage.Logs.Zip(relays, (log, relay) => new BenchLog(log.Name, relay.Url, log.PublicKey)));
        var parts = stage.Singles.Chunk(Narinfos).ToList();

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
        await WarmAsync(figures, nginx, proxy, parts[0]);
        relays.ForEach(relay => relay.Dispose());
        return figures.AllMet ? 0 : 1;
    }

    private static async Task WarmAsync(Figures figures, Nginx nginx, ProxyProcess proxy, IReadOnlyList<Nix.StorePath> paths)
    {
        var ratios = new List<double>();
        for (var round = 0; round < WarmRounds; round++)
        {
            ratios.Add(await PipelinedClient.AskAsync(nginx.Cache, paths) / await PipelinedClient.AskAsync(proxy.Url, paths));
        }

        figures.AtLeast("warm narinfos of one pipeline: rate over nginx's", Figures.Median(ratios), "times", 0.9);
    }
}
