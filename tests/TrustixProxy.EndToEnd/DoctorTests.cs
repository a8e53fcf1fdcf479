using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Testing;

namespace TrustixProxy.EndToEnd;

/// <summary>What doctor says of a closure that a real Nix has installed.</summary>
[Collection(NixLabCollection.Name)]
public sealed class DoctorTests(NixLab lab)
{
    [Fact]
    public async Task A_closure_on_which_the_logs_agree_is_well_and_what_is_installed_otherwise_than_they_prove_is_not()
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        var configuration = new JsonObject();
        await using var proxy = await lab.StartProxyAsync(
            TimeSpan.FromSeconds(3), config => configuration = config.DeepClone().AsObject(), cache.Url);
        var file = Path.Combine(lab.Directory, "doctor.json");
        await File.WriteAllTextAsync(file, configuration.ToJsonString());
        var sick = lab.Outputs["sick"];
        await lab.SubmitForgedAsync("alice", sick);
        await lab.SubmitForgedAsync("bob", sick);

        var well = await ExplainAsync(file, lab.Top.Absolute, "--json");
        var unwell = await ExplainAsync(file, sick.Absolute);

        Assert.True(well.Code is 0, well.ToString());
        Assert.Equal(
            lab.Closure.Count, JsonDocument.Parse(well.Output).RootElement.GetProperty("outcomes").GetProperty("agreed").GetInt32());
        Assert.True(unwell.Code is 1, unwell.ToString());
        Assert.Contains($"INSTALLED DIFFERS {sick.Absolute}", unwell.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_conflict_deep_in_a_closure_is_shown_with_its_chain_where_it_is_installed_and_where_it_is_not()
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var dave = await FakeLog.StartAsync();
        var deep = lab.Closure.Single(path => path.Name is "chain-5");
        dave.Publish(new BuildStatement(deep, NixHash.Sha256(new byte[32]), 1234, []));
        var file = Path.Combine(lab.Directory, "why.json");
        await using var proxy = await lab.StartProxyAsync(TimeSpan.FromSeconds(3), config =>
        {
            config["logs"]!.AsArray().Add(JsonSerializer.SerializeToNode(
                new { name = "dave", url = dave.Url.ToString(), publicKey = dave.Log.Signer.Key.ToString() }));
            config["policy"]!["dissent"] = "veto";
            File.WriteAllText(file, config.ToJsonString());
        }, cache.Url);
        string[] why = ["why", lab.Top.Absolute, "--config", file];
        string[] doctor = [lab.Top.Absolute, "--baseline", Path.Combine(lab.Directory, "baseline.json")];

        var installed = await Daemon.RunAsync(why, lab.Environment("builder", []));
        var foreign = await Daemon.RunAsync(why, lab.Environment("without-it", []));
        var (first, second) = (await ExplainAsync(file, doctor), await ExplainAsync(file, doctor));

        Assert.True((installed.Code, foreign.Code) is (1, 1), $"{installed}\n{foreign}");
        foreach (var shown in new[] { installed, foreign })
        {
            // under a veto the first two that differ decide, so not all are heard; carol may have the closure from another test
            Assert.Matches(
                @" would be refused\n  different outputs are proven by (alice|bob|carol)(, (bob|carol))* and by dave\n", shown.Output);
            Assert.Contains("by top-1.0 → chain-10 → chain-9 → chain-8 → chain-7 → chain-6 → chain-5; needed by 6 paths\n",
                shown.Output, StringComparison.Ordinal);
        }

        Assert.Contains($"held back: of {lab.Closure.Count} paths, 1 would", installed.Output, StringComparison.Ordinal);
        Assert.Contains($"held back: of {lab.Closure.Count - 4} paths, 1 would", foreign.Output, StringComparison.Ordinal); // chain-1 to 4
        Assert.True((first.Code, second.Code) is (1, 0), $"{first}\n{second}");
        Assert.Contains("0 new, 0 changed, 0 solved, 1 as before", second.Output, StringComparison.Ordinal);
    }

    private Task<Result> ExplainAsync(string configuration, params string[] arguments) =>
        Daemon.RunAsync(["doctor", "--config", configuration, .. arguments], lab.Environment("builder", []));
}
