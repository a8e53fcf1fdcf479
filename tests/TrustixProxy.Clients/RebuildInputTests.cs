using System.Text.Json.Nodes;
using TrustixProxy.Nix;

namespace TrustixProxy.Clients;

/// <summary>The inputs of rebuilds come from where the configuration says, and what came without votes is shown.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class RebuildInputTests(ClientLab lab)
{
    private const string Work = """
        let leaf = mk "leaf-in" [ "write" "leaf" ]; in [ leaf (mk "top-in" [ "write" "${leaf}" ]) ]
        """;

    [Theory]
    [EachClient]
    public async Task An_input_without_a_quorum_needs_its_caches_key_and_is_recorded_and_a_missing_one_is_waited_for(string version)
    {
        var stage = await RebuildStage.MakeAsync(lab, version, "unvoted", Work);
        var outputs = await stage.OutputsAsync();
        var (top, cache) = (outputs["top-in"].Absolute, lab.CacheOf($"inputs-{version}"));
        await using var served = await FaultyCache.StartAsync(cache);
        var missing = await stage.RebuildAsync(Settings(stage, served.Url), top);
        var key = await SignedAsync(stage, outputs["leaf-in"], cache);

        var distrusted = await stage.RebuildAsync(Settings(stage, served.Url), top);
        var built = await stage.RebuildAsync(Settings(stage, served.Url, key), top, "--json");

        Assert.Contains("needs a quorum there first", missing.Output, StringComparison.Ordinal);
        Assert.Contains("needs a quorum there first", distrusted.Output, StringComparison.Ordinal);
        Assert.Equal((1, 1), (missing.Code, distrusted.Code));
        Assert.True(built.Code is 0, built.ToString());
        var unvoted = JsonNode.Parse(built.Output)![0]!["unvoted"]!.AsArray().Single()!;
        Assert.Equal(outputs["leaf-in"].Absolute, unvoted["path"]!.GetValue<string>());
        Assert.Equal("no decision", unvoted["reason"]!.GetValue<string>());
        Assert.Contains($"without a quorum's votes: {outputs["leaf-in"].Absolute}",
            (await stage.RebuildAsync(new { }, "--results")).Output, StringComparison.Ordinal);
    }

    [Theory]
    [EachClient]
    public async Task An_input_that_two_rebuilders_agree_on_comes_with_their_votes_through_the_proxy(string version)
    {
        string[] logs = ["alice", "bob"];
        var cache = lab.CacheOf($"voted-{version}");
        StorePath? leaf = null;
        foreach (var log in logs)
        {
            var voter = await RebuildStage.MakeAsync(lab, version, $"voter-{log}", Work);
            leaf = (await voter.OutputsAsync())["leaf-in"];
            (await voter.RebuildAsync(Settings(voter, "http://127.0.0.1:1"), leaf.Absolute)).OrThrow();
            (await lab.PublishAsync(voter.Spool, log)).OrThrow();
            (await voter.RunAsync("nix", "--store", voter.Store, "copy", "--to", $"file://{cache}", leaf.Absolute)).OrThrow();
        }

        await using var served = await FaultyCache.StartAsync(cache);
        await using var proxy = await lab.StartProxyAsync(served.Url);
        var stage = await RebuildStage.MakeAsync(lab, version, "voted", Work);
        var top = (await stage.OutputsAsync())["top-in"].Absolute;

        var run = await stage.RebuildAsync(Settings(stage, proxy.Url, proxy.PublicKey), top, "--json");

        Assert.True(run.Code is 0, run.ToString());
        Assert.Empty(JsonNode.Parse(run.Output)![0]!["unvoted"]!.AsArray());
        Assert.Equal([leaf!.Absolute], JsonNode.Parse(run.Output)![0]!["outputs"]![0]!["references"]!.AsArray()
            .Select(reference => reference!.GetValue<string>()));
    }

    [Theory]
    [EachClient]
    public async Task Inputs_that_are_to_be_built_are_built_although_they_were_fetched_before(string version)
    {
        var stage = await RebuildStage.MakeAsync(lab, version, "rooted", """
            let leaf = mk "dice-in" [ "random" ]; in [ leaf (mk "roof-in" [ "write" "${leaf}" ]) ]
            """);
        var outputs = await stage.OutputsAsync();
        var (leaf, cache) = (outputs["dice-in"], lab.CacheOf($"rooted-{version}"));
        await SignedAsync(stage, leaf, cache);
        (await stage.RunAsync("nix", "copy", "--no-check-sigs", "--from", $"file://{cache}", "--to", stage.Store, leaf.Absolute)).OrThrow();
        var fetched = await stage.HashOfAsync(leaf.Absolute);

        var run = await stage.RebuildAsync(
            new { inputs = "build", expressions = new[] { stage.Expression } }, outputs["roof-in"].Absolute, "--json");

        Assert.True(run.Code is 0, run.ToString());
        Assert.NotEqual(fetched, await stage.HashOfAsync(leaf.Absolute));
        Assert.Empty(JsonNode.Parse(run.Output)![0]!["unvoted"]!.AsArray());
    }

    [Theory]
    [EachClient]
    public async Task A_derivation_in_a_file_is_built_and_one_whose_content_was_changed_is_refused(string version)
    {
        var (other, stage) = (await RebuildStage.MakeAsync(lab, version, "author", """[ (mk "filed" [ "write" "filed" ]) ]"""),
            await RebuildStage.MakeAsync(lab, version, "reader", """[ (mk "else" [ "write" "else" ]) ]"""));
        var derivation = (await other.InstantiateAsync()).Values.Single();
        await stage.InstantiateAsync(); // so that the builder is in that machine's store
        var bytes = await File.ReadAllBytesAsync(
            Path.Combine(lab.Directory, "stores", other.Machine.Name, "store", derivation.ToString()));
        var folder = Directory.CreateTempSubdirectory("trustix-derivation-").FullName;
        var file = Path.Combine(folder, derivation.ToString());
        await File.WriteAllBytesAsync(file, bytes);

        var run = await stage.RebuildAsync(new { }, file);
        var text = await File.ReadAllTextAsync(file);
        await File.WriteAllTextAsync(file, text.Replace("\"filed\"]", "\"faked\"]", StringComparison.Ordinal));
        var changed = await stage.RebuildAsync(new { }, file);

        Directory.Delete(folder, recursive: true);
        Assert.True(run.Code is 0, run.ToString());
        Assert.Equal((2, true), (changed.Code, changed.Error.Contains("has other content than its name says", StringComparison.Ordinal)));
    }

    private static object Settings(RebuildStage stage, string substituter, params string[] publicKeys) =>
        new { substituter, publicKeys, expressions = new[] { stage.Expression } };

    /// <summary>Builds a path elsewhere and puts it into a signed cache; returns the cache's key.</summary>
    private static async Task<string> SignedAsync(RebuildStage stage, StorePath path, string cache)
    {
        var (store, secret) = ($"{stage.Store}-signed", $"{stage.Store}.key");
        var derivations = await stage.InstantiateAsync();
        var derivation = derivations.Single(pair => path.Name.StartsWith(pair.Key, StringComparison.Ordinal)).Value;
        (await stage.RunAsync("nix", "copy", "--derivation", "--to", store, derivation.Absolute)).OrThrow();
        (await stage.RunAsync("nix-store", "--store", store, "-r", derivation.Absolute)).OrThrow();
        (await stage.RunAsync("nix-store", "--generate-binary-cache-key", "cache-1", secret, $"{secret}.pub")).OrThrow();
        (await stage.RunAsync("nix", "--store", store, "copy", "--to", $"file://{cache}?secret-key={secret}", path.Absolute)).OrThrow();
        return (await File.ReadAllTextAsync($"{secret}.pub")).Trim();
    }
}
