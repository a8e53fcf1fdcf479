using System.Text.Json;
using TrustixProxy.Rebuilder.Records;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>explain, verify, policy test and audit, as one types them.</summary>
public sealed class ExplainTests
{
    [Fact]
    public async Task Each_vote_is_shown_with_its_proof_and_the_verdict()
    {
        var output = TestOutput.Make();
        await using var stage = await Stage.StartAsync();
        stage.Publish(output, "alice", "bob");

        var (code, text, error) = await Cli.RunAsync(["explain", output.Path.Absolute, "--config", stage.Config]);

        Assert.True(code is 0, error);
        Assert.Contains(
            "rule of all paths without their own scope: 2 of 3 must agree, dissent is outvoted", text, StringComparison.Ordinal);
        Assert.Matches($@"alice +alice +{output.Statement.NarHash} +tied to leaf 0 +1 +\d+", text);
        Assert.Matches(@"carol +carol +absent +absence proven +0 +\d+", text);
        Assert.Contains($"agreed: 2 of 3 needed: alice={output.Statement.NarHash}", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_known_by_digest_too_and_a_refusal_is_exit_code_1_in_json()
    {
        var output = TestOutput.Make();
        await using var stage = await Stage.StartAsync();
        stage.Publish(output, "alice");

        var (code, text, _) = await Cli.RunAsync(["explain", output.Path.Digest.ToString(), "--json", "--config", stage.Config]);
        using var json = JsonDocument.Parse(text);

        Assert.Equal((1, "undecided", output.Path.Absolute),
            (code, json.RootElement.GetProperty("outcome").GetString(), json.RootElement.GetProperty("path").GetString()));
        Assert.Equal(["alice", "bob", "carol"],
            json.RootElement.GetProperty("answers").EnumerateArray().Select(answer => answer.GetProperty("elector").GetString()));
    }

    [Fact]
    public async Task What_this_machines_rebuilder_has_built_is_shown_with_the_inputs_that_had_no_votes()
    {
        var (output, input) = (TestOutput.Make(), TestOutput.PathOf("input"));
        await using var stage = await Stage.StartAsync();
        stage.Publish(output, "alice", "bob");
        var store = stage.Folder.File("own");
        using (var records = RecordFolder.Open(RecordFolder.In(store)))
        {
            records.Write(new BuildRecord(TestOutput.PathOf("other").Absolute, null, BuildState.Queued)
            {
                Outputs = [new BuiltOutput(output.Path.Absolute, output.Statement.NarHash.ToString(), 1, [])],
                Unvoted = [new UnvotedInput(input.Absolute, "sha256:1", "no decision")],
            });
        }

        var configuration = stage.Folder.File("rebuild.json", JsonSerializer.Serialize(new { rebuilder = new { store } }));
        string[] arguments = ["explain", output.Path.Absolute, "--config", stage.Config, "--rebuilder", configuration];
        var (code, text, error) = await Cli.RunAsync(arguments);
        using var json = JsonDocument.Parse((await Cli.RunAsync([.. arguments, "--json"])).Output);
        var byFolder = await Cli.RunAsync([.. arguments[..^1], store]);
        var wrong = await Cli.RunAsync([.. arguments[..^1], stage.Config]);

        Assert.Contains("--rebuilder: is '", wrong.Error, StringComparison.Ordinal);
        Assert.Contains("Z: built ", byFolder.Output, StringComparison.Ordinal);
        Assert.True(code is 0, error);
        Assert.Contains($"Z: built {output.Path.Absolute}: {output.Statement.NarHash} from 1 input without a quorum's votes\n"
            + $"  without a quorum's votes: {input.Absolute} sha256:1 (no decision)\n", text, StringComparison.Ordinal);
        Assert.Equal(input.Absolute, json.RootElement.GetProperty("rebuilt").GetProperty("unvoted")[0].GetProperty("path").GetString());
    }

    [Fact]
    public async Task What_nobody_could_be_asked_about_is_exit_code_3_and_what_is_no_path_2()
    {
        await using var stage = await Stage.StartAsync();

        Assert.Equal(3, (await Cli.RunAsync(["explain", TestOutput.PathOf("x").Digest.ToString(), "--config", stage.Config])).Code);
        var (code, _, error) = await Cli.RunAsync(["explain", "hello", "--config", stage.Config]);
        Assert.Equal(2, code);
        Assert.Contains("PATH is 'hello'; it must be a store path", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bundle_is_verified_in_a_process_with_no_network_and_not_once_it_was_changed()
    {
        var output = TestOutput.Make();
        await using var stage = await Stage.StartAsync();
        stage.Publish(output, "alice", "bob");
        var file = stage.Folder.File("bundle.json");
        Assert.Equal(0, (await Cli.RunAsync(["explain", output.Path.Absolute, "--bundle", file, "--config", stage.Config])).Code);
        await stage.Proxy.DisposeAsync(); // no log answers any more

        var good = await Cli.RunOfflineAsync("verify", file, "--policy", stage.Config);
        var changed = stage.Folder.File(
            "changed.json", (await File.ReadAllTextAsync(file)).Replace("\"agreed\"", "\"Agreed\"", StringComparison.Ordinal));
        var bad = await Cli.RunAsync(["verify", changed, "--policy", stage.Config]);
        var (told, denied) = (await Cli.RunAsync(["verify", file, "--json", "--policy", stage.Config]),
            await Cli.RunAsync(["verify", changed, "--json", "--policy", stage.Config]));
        var missing = await Cli.RunAsync(["verify", "/nowhere", "--policy", stage.Config]);

        Assert.StartsWith($"verified: {output.Path.Absolute} agreed at ", good.Output, StringComparison.Ordinal);
        Assert.Equal((0, 1, 2), (good.Code, bad.Code, missing.Code));
        Assert.Equal("not verified: it was changed: its content does not match its digest.\n", bad.Output);
        Assert.Equal(
            (0, true, "agreed"), (told.Code, Json(told.Output, "verified").GetBoolean(), Json(told.Output, "outcome").GetString()));
        Assert.Equal((1, false, "it was changed: its content does not match its digest."),
            (denied.Code, Json(denied.Output, "verified").GetBoolean(), Json(denied.Output, "why").GetString()));
    }

    [Fact]
    public async Task Policy_test_shows_the_rule_of_a_name_and_what_would_meet_it()
    {
        await using var stage = await Stage.StartAsync("""{ "quorum": 2, "scopes": [{ "match": "linux-*", "quorum": 3, "dissent": "veto" }], "exceptions": [] }""");

        var hello = await Cli.RunAsync(["policy", "test", "hello-1.0", "--config", stage.Config]);
        var linux = await Cli.RunAsync(["policy", "test", "linux-6.1", "--config", stage.Config]);
        var bad = await Cli.RunAsync(["policy", "test", "a/b", "--config", stage.Config]);

        Assert.Contains("met by any of: alice + bob; alice + carol; bob + carol", hello.Output, StringComparison.Ordinal);
        Assert.Contains("rule of 'linux-*': 3 of 3 must agree, dissent refuses", linux.Output, StringComparison.Ordinal);
        Assert.Equal((0, 0, 2), (hello.Code, linux.Code, bad.Code));
    }

    [Fact]
    public async Task Audit_shows_each_signature_and_prunes_only_when_told()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        await proxy.NarInfoAsync(output);
        using var folder = new Folder();
        var config = folder.File("config.json", $$"""{ "stateDirectory": "{{proxy.StateDirectory}}", "signingKeyFile": "{{folder.Path}}/none" }""");

        var shown = await Cli.RunAsync(["audit", "--config", config]);
        var early = await Cli.RunAsync(["audit", "prune", "--before", "2020-01-01", "--config", config]);
        var all = await Cli.RunAsync(["audit", "prune", "--before", "2999-01-01", "--config", config]);

        Assert.Contains($"agreed 1;{output.Path.Absolute};{output.Statement.NarHash};", shown.Output, StringComparison.Ordinal);
        Assert.StartsWith("0 entries", early.Output, StringComparison.Ordinal);
        Assert.Equal("", (await Cli.RunAsync(["audit", "--json", "--config", config])).Output);
        Assert.NotEqual(early.Output[..2], all.Output[..2]);
    }

    private static JsonElement Json(string text, string name) => JsonDocument.Parse(text).RootElement.GetProperty(name);
}
