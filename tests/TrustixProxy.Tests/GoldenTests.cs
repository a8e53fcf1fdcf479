using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>Bundles and evidence that earlier versions wrote are verified for ever, offline, under the configuration that they were made
/// under. A new version of either form adds files; none is ever changed.</summary>
public sealed class GoldenTests
{
    [Theory]
    [InlineData("agreed", "config", "agreed-1.0 agreed at 2026-11-24T")]
    [InlineData("nested", "config", "nested-1.0 agreed at 2026-11-24T")]
    [InlineData("conflict", "config", "conflict-1.0 conflict at ")]
    [InlineData("undecided", "config", "undecided-1.0 undecided at ")]
    [InlineData("excepted", "config", "excepted-1.0 excepted at ")]
    [InlineData("content-addressed", "config", "addressed-1.0 content-addressed at ")]
    [InlineData("gone", "config", "gone-1.0 no-upstream at ")]
    [InlineData("report", "config-report", "report-1.0 report at ")]
    public async Task A_decision_bundle_of_version_1_is_verified(string name, string config, string expected)
    {
        var (code, output, error) = await Cli.RunOfflineAsync("verify", Vector("bundles", name), "--policy", Vector("bundles", config));

        Assert.True(code is 0, output + error);
        Assert.StartsWith("verified: /nix/store/", output, StringComparison.Ordinal);
        Assert.Contains(expected, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("agreed", "agreed-1.0 agreed at 2026-11-29T")]
    [InlineData("undecided", "undecided-1.0 undecided at 2026-11-29T")]
    public async Task A_decision_bundle_of_version_2_is_verified(string name, string expected)
    {
        var (code, output, error) = await Cli.RunOfflineAsync("verify", Second(name), "--policy", Second("config"));

        Assert.True(code is 0, output + error);
        Assert.Contains(expected, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_decision_bundle_of_version_2_shows_the_witnesses_of_its_policy()
    {
        using var folder = new Folder();
        var witnesses = string.Concat(Enumerable.Range(1, 3).Select(i => new TestWitness($"w{i}", (byte)i).Line));
        var policy = folder.File("witnesses.tlog-policy", $"{witnesses}group q 2 w1 w2 w3\nquorum q\n");
        var text = (await File.ReadAllTextAsync(Second("config-witnessed"))).Replace("POLICY", policy, StringComparison.Ordinal);
        var config = folder.File("config.json", text);

        var (code, output, error) = await Cli.RunOfflineAsync("verify", Second("witnessed"), "--policy", config);

        Assert.True(code is 0, output + error);
        Assert.Contains("alice: 2 of its policy's witnesses saw its head of size 1 (last 2026-11-29 ", output, StringComparison.Ordinal);
        Assert.EndsWith("): w1, w2\n", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("split-view")]
    [InlineData("rewritten-log")]
    [InlineData("rewritten-map-heads")]
    [InlineData("map-contradiction")]
    [InlineData("two-entries")]
    public async Task Evidence_of_version_1_is_verified_with_the_logs_key_and_no_other(string kind)
    {
        var good = await Cli.RunOfflineAsync("verify", Vector("evidence", kind), "--config", Vector("evidence", "config"));
        var other = await Cli.RunOfflineAsync("verify", Vector("evidence", kind), "--config", Vector("bundles", "config"));

        Assert.True(good.Code is 0, good.Output + good.Error);
        Assert.StartsWith(
            $"verified: the log 'mallory' has contradicted itself ({kind}) under its own signature", good.Output, StringComparison.Ordinal);
        Assert.Contains($"\"fault\": \"{kind}\"", (await Cli.RunAsync(
            ["verify", Vector("evidence", kind), "--json", "--config", Vector("evidence", "config")])).Output, StringComparison.Ordinal);
        Assert.Equal(
            (1, "not verified: its heads are signed by no log of the given configuration.\n"), (other.Code, other.Output));
    }

    private static string Second(string name) =>
        Path.Combine(AppContext.BaseDirectory, "Vectors", "bundles", "v2", $"{name}.json");

    private static string Vector(string folder, string name) =>
        Path.Combine(AppContext.BaseDirectory, "Vectors", folder, "v1", $"{name}.json");
}
