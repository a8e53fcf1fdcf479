using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Clients;

/// <summary>A rebuilder on a real proxy's work list brings the votes that it lacks.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class RebuildWantedTests(ClientLab lab)
{
    private const string Work = """
        builtins.genList (i: mk "lacking-${toString i}" [ "write" "plain" "${toString i}" ]) 9
          ++ [ (mk "lacking-clock" [ "time" ]) (mk "lacking-dice" [ "random" ]) (mk "lacking-broken" [ "fail" ]) ]
        """;

    [Theory]
    [EachClient]
    public async Task What_a_proxy_could_not_decide_becomes_nine_agreements_two_conflicts_and_one_failure(string version)
    {
        var (cache, first) = (lab.CacheOf($"lacking-{version}"), await RebuildStage.MakeAsync(lab, version, "first", Work));
        var outputs = await first.OutputsAsync();
        await FirstVoteAsync(first, outputs, cache);
        await using var served = await FaultyCache.StartAsync(cache);
        var operations = $"http://127.0.0.1:{FreePort()}";
        await using var proxy = await lab.StartProxyAsync(
            configuration => configuration["operations"] = new JsonObject { ["listen"] = new JsonArray(operations) }, served.Url);
        foreach (var output in outputs.Values)
        {
            Assert.NotEqual("agreed", (await proxy.AskAsync($"{output.Digest}.narinfo")).Decision);
        }

        var second = await RebuildStage.MakeAsync(lab, version, "second", Work);
        await second.InstantiateAsync(); // the upstream's derivers are only names: the derivations are this machine's own
        var run = await second.RebuildAsync(new { wanted = new[] { operations }, jobs = 2 }, "--once");

        Assert.True(run.Code is 0, run.ToString());
        Assert.Equal(12, run.Output.Split('\n').Count(line => line.StartsWith("built ", StringComparison.Ordinal)
            || line.StartsWith("failed ", StringComparison.Ordinal)));
        Assert.Contains("act: this cannot be built", run.Output, StringComparison.Ordinal);
        (await lab.PublishAsync(second.Spool, "bob")).OrThrow();
        await Eventually.UntilAsync(async () => await DecisionsAsync(proxy, outputs) is (9, 2), 60);
    }

    /// <summary>One log hears of all that can be built, and a cache has it; of the broken one it only says that it has it.</summary>
    private async Task FirstVoteAsync(RebuildStage stage, IReadOnlyDictionary<string, StorePath> outputs, string cache)
    {
        var derivations = await stage.InstantiateAsync();
        await stage.RebuildAsync(new { retries = 0 }, [.. derivations.Values.Select(path => path.Absolute)]);
        (await lab.PublishAsync(stage.Spool, "alice")).OrThrow();
        var built = outputs.Where(output => output.Key is not "lacking-broken").Select(output => output.Value.Absolute);
        (await stage.RunAsync("nix", ["--store", stage.Store, "copy", "--to", $"file://{cache}", .. built])).OrThrow();
        var (like, broken) = (outputs["lacking-0"], outputs["lacking-broken"]);
        var narInfo = await File.ReadAllTextAsync(Path.Combine(cache, $"{like.Digest}.narinfo"));
        await File.WriteAllTextAsync(Path.Combine(cache, $"{broken.Digest}.narinfo"), narInfo
            .Replace(like.ToString(), broken.ToString(), StringComparison.Ordinal)
            .Replace(derivations["lacking-0"].ToString(), derivations["lacking-broken"].ToString(), StringComparison.Ordinal));
    }

    private static async Task<(int Agreed, int Conflicts)> DecisionsAsync(Proxy proxy, IReadOnlyDictionary<string, StorePath> outputs)
    {
        var decisions = new List<string?>();
        foreach (var output in outputs.Values)
        {
            decisions.Add((await proxy.AskAsync($"{output.Digest}.narinfo")).Decision);
        }

        return (decisions.Count(decision => decision is "agreed"), decisions.Count(decision => decision is "conflict"));
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
