using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Testing;

namespace TrustixProxy.Clients;

/// <summary>Two rebuilders on a real proxy's work list bring the votes that it lacks, each to its own log.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class RebuildWantedTests(ClientLab lab)
{
    private const string Broken = "lacking-broken";

    private const string Work = """
        builtins.genList (i: mk "lacking-${toString i}" [ "write" "plain" "${toString i}" ]) 9
          ++ [ (mk "lacking-clock" [ "time" ]) (mk "lacking-dice" [ "random" ]) (mk "lacking-broken" [ "fail" ]) ]
        """;

    private static readonly string[] Unequal = ["lacking-clock", "lacking-dice"], Voters = ["bob", "carol"];

    [Theory]
    [EachClient]
    public async Task Two_rebuilders_make_nine_agreements_two_conflicts_and_a_failure_of_twelve_paths_with_one_vote(string version)
    {
        var first = await RebuildStage.MakeAsync(lab, version, "first", Work);
        var outputs = await first.OutputsAsync();
        var cache = await FirstVoteAsync(first, outputs, lab.CacheOf($"lacking-{version}"));
        await using var served = await FaultyCache.StartAsync(cache);
        var (operations, settings) = ($"http://127.0.0.1:{FreePort()}", new JsonObject());
        await using var proxy = await lab.StartProxyAsync(configuration =>
        {
            configuration["operations"] = new JsonObject { ["listen"] = new JsonArray(operations) };
            configuration["logs"]!.AsArray().Add(lab.LogOf("carol"));
            settings = configuration;
        }, served.Url);
        Assert.Equal((0, 0), await DecisionsAsync(proxy, outputs.Values));

        var stages = await VotersAsync(version);
        var runs = await Task.WhenAll(stages.Select(stage => stage.RebuildAsync(
            new { name = "builder", wanted = new[] { operations }, expressions = new[] { stage.Expression }, jobs = 2 }, "--once")));

        var begun = await Task.WhenAll(stages.Select(async stage => (await stage.ResultsAsync())[0]["path"]!.GetValue<string>()));
        Assert.NotEqual(begun[0], begun[1]);
        Assert.All(runs, run => Assert.True(run.Code is 0, run.ToString()));
        foreach (var stage in stages)
        {
            await AssertBuiltAllButTheBrokenAsync(stage, outputs);
            var published = (await lab.PublishAsync(stage.Spool, stage.Name)).OrThrow().Output;
            Assert.StartsWith("published 11 paths", published, StringComparison.Ordinal);
        }

        await Eventually.UntilAsync(async () => await DecisionsAsync(proxy, outputs.Values) is (9, 2), 60);
        foreach (var name in Unequal)
        {
            await AssertEachHashIsProvenAsync(outputs[name], settings);
        }

        await AssertSubstitutesAsync(version, proxy, [.. outputs.Where(output => output.Key != Broken && !Unequal.Contains(output.Key))
            .Select(output => output.Value)]);
    }

    /// <summary>Has one log vouch for all twelve, and a cache have them; of the broken one, log and cache only claim so.</summary>
    private async Task<string> FirstVoteAsync(RebuildStage stage, IReadOnlyDictionary<string, StorePath> outputs, string cache)
    {
        var derivations = await stage.InstantiateAsync();
        await stage.RebuildAsync(new { retries = 0 }, [.. derivations.Values.Select(path => path.Absolute)]);
        (await lab.PublishAsync(stage.Spool, "alice")).OrThrow();
        var built = outputs.Where(output => output.Key != Broken).Select(output => output.Value.Absolute);
        (await stage.RunAsync("nix", ["--store", stage.Store, "copy", "--to", $"file://{cache}", .. built])).OrThrow();
        var (like, broken) = (outputs["lacking-0"], outputs[Broken]);
        var text = (await File.ReadAllTextAsync(Path.Combine(cache, $"{like.Digest}.narinfo")))
            .Replace(like.ToString(), broken.ToString(), StringComparison.Ordinal)
            .Replace(derivations["lacking-0"].ToString(), derivations[Broken].ToString(), StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(cache, $"{broken.Digest}.narinfo"), text);
        Assert.True(NarInfo.TryParse(System.Text.Encoding.ASCII.GetBytes(text), out var claimed, out _));
        await lab.SubmitAsync("alice", [new BuildStatement(broken, claimed.NarHash, claimed.NarSize, claimed.References)]);
        return cache;
    }

    /// <summary>Makes a rebuilder that finds derivations in its machine's store, and one that evaluates an expression.</summary>
    private async Task<IReadOnlyList<RebuildStage>> VotersAsync(string version)
    {
        var stages = await Task.WhenAll(Voters.Select(voter => RebuildStage.MakeAsync(lab, version, voter, Work)));
        await stages[0].InstantiateAsync(); // the upstream's derivers are only names: the derivations are this machine's own
        return stages;
    }

    private static async Task AssertBuiltAllButTheBrokenAsync(RebuildStage stage, IReadOnlyDictionary<string, StorePath> outputs)
    {
        var results = await stage.ResultsAsync();
        var failures = results.Where(result => result["state"]!.GetValue<string>() is "failed").ToList();

        Assert.True(failures is [_], string.Join('\n', failures.Select(failure => failure.ToJsonString())));
        Assert.Equal(outputs.Values.Select(path => path.Absolute).Order(),
            results.Select(result => result["path"]!.GetValue<string>()).Order());
        Assert.Equal(outputs[Broken].Absolute, failures[0]["path"]!.GetValue<string>());
        Assert.Contains("act: this cannot be built", failures[0]["reason"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    private async Task AssertEachHashIsProvenAsync(StorePath path, JsonObject settings)
    {
        var file = Path.Combine(lab.Directory, $"{Guid.NewGuid():n}.json");
        await File.WriteAllTextAsync(file, settings.ToJsonString());
        var explained = JsonNode.Parse((await Daemon.RunAsync(["explain", path.Absolute, "--json", "--config", file])).Output)!;

        Assert.Equal("conflict", explained["outcome"]!.GetValue<string>());
        var answers = explained["answers"]!.AsArray();
        Assert.Equal(["alice", "bob", "carol"], answers.Select(answer => answer!["elector"]!.GetValue<string>()));
        Assert.All(answers, answer => Assert.StartsWith("tied to leaf", answer!["proof"]!.GetValue<string>(), StringComparison.Ordinal));
        Assert.All(answers, answer => Assert.StartsWith("sha256:", answer!["says"]!.GetValue<string>(), StringComparison.Ordinal));
        Assert.Equal(3, answers.Select(answer => answer!["says"]!.GetValue<string>()).Distinct().Count());
    }

    private async Task AssertSubstitutesAsync(string version, Proxy proxy, StorePath[] paths)
    {
        var machine = Machine.Substituting(version, "of-rebuilders", proxy.Url, proxy.PublicKey);
        (await lab.RunAsync(machine, ["nix-store", "-r", .. paths.Select(path => path.Absolute)])).OrThrow();

        Assert.Equal(9, paths.Length);
        await lab.AssertVerifiedAsync(machine, paths);
    }

    private static async Task<(int Agreed, int Conflicts)> DecisionsAsync(Proxy proxy, IEnumerable<StorePath> outputs)
    {
        var decisions = new List<string?>();
        foreach (var output in outputs)
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
