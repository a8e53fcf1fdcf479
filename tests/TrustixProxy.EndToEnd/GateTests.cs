using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Testing;

namespace TrustixProxy.EndToEnd;

/// <summary>gate and audit-cache over a closure that a real Nix has built.</summary>
[Collection(NixLabCollection.Name)]
public sealed class GateTests(NixLab lab)
{
    [Fact]
    public async Task A_conflict_deep_in_what_an_update_adds_fails_as_text_json_and_annotation()
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var dave = await FakeLog.StartAsync();
        var (old, deep) = (PathOf("chain-2"), PathOf("chain-5"));
        dave.Publish(new BuildStatement(deep, NixHash.Sha256(new byte[32]), 1234, []));
        var file = Path.Combine(lab.Directory, "gate.json");
        await using var proxy = await lab.StartProxyAsync(TimeSpan.FromSeconds(3), config =>
        {
            config["logs"]!.AsArray().Add(JsonSerializer.SerializeToNode(
                new { name = "dave", url = dave.Url.ToString(), publicKey = dave.Log.Signer.Key.ToString() }));
            config["policy"]!["dissent"] = "veto";
            File.WriteAllText(file, config.ToJsonString());
        }, cache.Url);
        string[] gate = ["gate", old.Absolute, lab.Top.Absolute, "--config", file];
        var builder = lab.Environment("builder", []);

        var installed = await Daemon.RunAsync(gate, builder);
        var foreign = await Daemon.RunAsync(gate, lab.Environment("without-it", []));
        var annotated = await Daemon.RunAsync([.. gate, "--format", "github"], builder);
        var json = JsonNode.Parse((await Daemon.RunAsync([.. gate, "--format", "json"], builder)).Output)!;
        var rest = await Daemon.RunAsync(["gate", deep.Absolute, lab.Top.Absolute, "--config", file], builder);

        var added = lab.Closure.Count - 3; // leaf, chain-1 and chain-2 were there
        Assert.True(
            (installed.Code, foreign.Code, annotated.Code, rest.Code) is (1, 1, 1, 0), $"{installed}\n{foreign}\n{annotated}\n{rest}");
        foreach (var shown in new[] { installed, foreign })
        {
            Assert.Contains("removed; of the added 1 do not pass, 0 are uncertain\nFAIL  conflict           " + deep.Absolute, shown.Output,
                StringComparison.Ordinal);
        }

        Assert.StartsWith($"{added} paths added, 0 removed; ", installed.Output, StringComparison.Ordinal);
        Assert.Contains($"\n::error title=conflict%3A chain-5::{deep.Absolute}: ", annotated.Output, StringComparison.Ordinal);
        Assert.Equal((false, 1, added), ((bool)json["passes"]!, (int)json["failed"]!, json["added"]!.AsArray().Count));
    }

    [Fact]
    public async Task Two_swapped_nars_deep_in_a_cache_that_nix_has_made_are_found()
    {
        var folder = Path.Combine(lab.Directory, "cache", "swapped");
        (await Shell.RunAsync("cp", ["-r", lab.CacheOf("zstd"), folder])).OrThrow();
        var (one, two) = (FileOf(folder, PathOf("chain-5")), FileOf(folder, PathOf("fan-7")));
        File.Move(one, $"{one}.tmp");
        File.Move(two, one);
        File.Move($"{one}.tmp", two);
        await using var cache = await FaultyCache.StartAsync(folder);
        string[] audit = ["audit-cache", cache.Url, "--closure", lab.Top.Absolute, "--state", Path.Combine(folder, "audit.json"),
            "--rate", "10MiB"];

        var (first, second) = (await Daemon.RunAsync(audit), await Daemon.RunAsync(audit));

        Assert.True((first.Code, second.Code) is (1, 1), $"{first}\n{second}");
        Assert.Matches($"{lab.Closure.Count} paths\n  right +{lab.Closure.Count - 2}\n  wrong +2\n", first.Output);
        Assert.Contains($"WRONG {PathOf("chain-5").Absolute}\n  file-", first.Output, StringComparison.Ordinal);
        Assert.Contains($"({lab.Closure.Count - 2} checked earlier)", second.Output, StringComparison.Ordinal);
    }

    private StorePath PathOf(string name) => lab.Closure.Single(path => path.Name == name);

    private static string FileOf(string cache, StorePath path)
    {
        var narInfo = File.ReadLines(Path.Combine(cache, $"{path.Digest}.narinfo"));
        return Path.Combine(cache, narInfo.Single(line => line.StartsWith("URL: ", StringComparison.Ordinal))[5..]);
    }
}
