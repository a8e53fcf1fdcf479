using System.Text.Json;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>gate, over the paths that a change adds.</summary>
public sealed class GateTests
{
    [Fact]
    public async Task A_conflict_deep_in_what_a_change_adds_fails_and_nothing_that_was_there_before_is_asked_about()
    {
        var kept = Enumerable.Range(0, 5).Select(i => TestOutput.Make($"kept-{i}")).ToList();
        var added = Enumerable.Range(0, 20).Select(i => TestOutput.Make($"added-{i}")).ToList();
        var gone = TestOutput.Make("gone");
        await using var stage = await Stage.StartAsync();
        added.ForEach(output => stage.Publish(output, "alice", "bob"));
        var odd = added[12].Forge();
        stage.Proxy.Log("carol").Publish(odd.Statement);
        var worse = TestOutput.Make("worse");
        stage.Publish(worse, "alice");
        stage.Proxy.Log("bob").Publish(worse.Forge().Statement);
        var (before, after) = (List(stage, "old.txt", [gone, .. kept]), List(stage, "new.txt", [.. kept, .. added, worse]));

        var (code, text, error) = await RunAsync(stage, before, after);
        var json = await RunAsync(stage, before, after, "--json");
        var root = JsonDocument.Parse(json.Output).RootElement;
        var first = root.GetProperty("added")[0];

        Assert.True(code is 1, $"{code}: {text}{error}");
        Assert.StartsWith("21 paths added, 1 removed; of the added 1 do not pass, 0 are uncertain\n"
            + $"FAIL  conflict           {worse.Path.Absolute}: 2 of 3 needed: ", text, StringComparison.Ordinal);
        Assert.Equal(20, text.Split('\n').Count(line => line.StartsWith("pass  agreed ", StringComparison.Ordinal)));
        Assert.DoesNotContain("kept-", text, StringComparison.Ordinal);
        Assert.Equal((1, false, 1, 0), (json.Code, root.GetProperty("passes").GetBoolean(), root.GetProperty("failed").GetInt32(),
            root.GetProperty("uncertain").GetInt32()));
        Assert.Equal((worse.Path.Absolute, false, "conflict"), (first.GetProperty("path").GetString(),
            first.GetProperty("passes").GetBoolean(), first.GetProperty("outcome").GetString()));
        Assert.Equal([gone.Path.Absolute], root.GetProperty("removed").EnumerateArray().Select(path => path.GetString()));
    }

    [Fact]
    public async Task GitHub_gets_an_annotation_at_the_line_of_each_path_that_does_not_pass()
    {
        var (good, odd) = (TestOutput.Make("good"), TestOutput.Make("odd"));
        await using var stage = await Stage.StartAsync();
        stage.Publish(good, "alice", "bob");
        stage.Publish(odd, "alice");
        var (before, after) = (List(stage, "old,1.txt", []), List(stage, "new,1.txt", [good, odd]));

        var (code, text, error) = await RunAsync(stage, before, after, "--format", "github");
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.True(code is 1, $"{code}: {text}{error}");
        Assert.Equal(2, lines.Length);
        Assert.Equal("::notice title=trustix-proxy gate::2 paths added, 0 removed; of the added 1 do not pass, 0 are uncertain", lines[0]);
        Assert.StartsWith($"::error file={after.Replace(",", "%2C", StringComparison.Ordinal)},line=2,title=undecided%3A odd::"
            + $"{odd.Path.Absolute}: 2 of 3 needed: ", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_installed_path_stands_for_its_closure_and_one_that_is_installed_otherwise_than_proven_fails()
    {
        var (libc, tool) = (TestOutput.Make("libc"), TestOutput.Make("tool"));
        var top = TestOutput.Make("system", 100, libc.Path, tool.Path);
        await using var stage = await Stage.StartAsync();
        foreach (var output in new[] { libc, tool, top })
        {
            stage.Publish(output, "alice", "bob");
        }

        var before = List(stage, "old.txt", [libc]);
        var good = await RunAsync(stage, before, top.Path.Absolute, [], stage.WithNix((top, top), (libc, libc), (tool, tool)));
        File.Delete(stage.Folder.File("bin/nix"));
        File.Delete(stage.Folder.File("bin/nix-store"));
        var bad = await RunAsync(stage, before, top.Path.Absolute, [], stage.WithNix((top, top), (libc, libc), (tool, tool.Forge())));

        Assert.Equal((0, 1), (good.Code, bad.Code));
        Assert.StartsWith("2 paths added, 0 removed; ", good.Output, StringComparison.Ordinal);
        Assert.Contains($"FAIL  agreed             {tool.Path.Absolute}: sha256:", bad.Output, StringComparison.Ordinal);
        Assert.Contains("is installed, and alice proves ", bad.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_two_store_paths_that_are_not_installed_the_closures_that_would_be_served_are_compared()
    {
        await using var stage = await Stage.StartAsync();
        var (kept, odd) = (TestOutput.Make("kept"), TestOutput.Make("odd"));
        var (before, after) = (TestOutput.Make("system-1", 100, kept.Path), odd);
        for (var depth = 0; depth < 11; depth++)
        {
            var side = TestOutput.Make($"side-{depth}", 100, kept.Path);
            after = TestOutput.Make($"link-{depth}", 100, after.Path, side.Path);
            stage.Publish(side, "alice", "bob");
            stage.Publish(after, "alice", "bob");
        }

        stage.Publish(kept, "alice", "bob");
        stage.Publish(before, "alice", "bob");
        stage.Publish(odd, "alice");
        stage.Proxy.Log("bob").Publish(odd.Forge().Statement);

        var (code, text, error) = await RunAsync(stage, before.Path.Absolute, after.Path.Absolute);

        Assert.True(code is 1, $"{code}: {text}{error}");
        Assert.StartsWith("23 paths added, 1 removed; of the added 1 do not pass, 0 are uncertain\n"
            + $"FAIL  conflict           {odd.Path.Absolute}: 2 of 3 needed: ", text, StringComparison.Ordinal);
        Assert.DoesNotContain(kept.Path.Absolute, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_installed_as_agreed_passes_although_an_outvoted_elector_proves_another_output()
    {
        var tool = TestOutput.Make("tool");
        await using var stage = await Stage.StartAsync();
        stage.Publish(tool, "alice", "bob");
        stage.Proxy.Log("carol").Publish(tool.Forge().Statement);

        var (code, text, error) = await RunAsync(
            stage, List(stage, "old.txt", []), tool.Path.Absolute, [], stage.WithNix((tool, tool)));

        Assert.True(code is 0, $"{code}: {text}{error}");
        Assert.EndsWith($"pass  agreed             {tool.Path.Absolute}\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Missing_answers_are_exit_code_3_and_a_warning_and_faults_of_usage_are_told()
    {
        var output = TestOutput.Make();
        await using var stage = await Stage.StartAsync();
        stage.Publish(output, "alice");
        await stage.Proxy.Log("bob").StopAsync();
        await stage.Proxy.Log("carol").StopAsync();
        var (none, one) = (List(stage, "none.txt", []), List(stage, "one.txt", [output]));

        var open = await RunAsync(stage, none, one, "--format", "github");
        var nothing = await RunAsync(stage, one, none);
        var missing = await RunAsync(stage, one, stage.Folder.File("missing.txt"));
        var empty = await RunAsync(stage, one, "");
        var other = await RunAsync(stage, one, $"/gnu/store/{output.Path}");
        var form = await RunAsync(stage, none, one, "--format", "xml");

        Assert.Equal(3, open.Code);
        Assert.Contains("\n::warning file=", open.Output, StringComparison.Ordinal);
        Assert.Equal((2, 2, 2, 2, 2), (nothing.Code, missing.Code, empty.Code, other.Code, form.Code));
        Assert.Contains($"NEW is '/gnu/store/{output.Path}', which is not in /nix/store", other.Error, StringComparison.Ordinal);
        Assert.Contains("which has no line", nothing.Error, StringComparison.Ordinal);
        Assert.Contains("neither a store path, nor a link to one, nor a file", missing.Error, StringComparison.Ordinal);
    }

    private static string List(Stage stage, string name, IEnumerable<TestOutput> outputs) =>
        stage.Folder.File(name, string.Concat(outputs.Select(output => $"{output.Path.Absolute}\n")));

    private static Task<(int Code, string Output, string Error)> RunAsync(
        Stage stage, string before, string after, params string[] arguments) => RunAsync(stage, before, after, arguments, stage.WithoutNix);

    private static Task<(int Code, string Output, string Error)> RunAsync(
        Stage stage, string before, string after, string[] arguments, Dictionary<string, string> environment) =>
        Cli.RunAsync(["gate", before, after, "--config", stage.Config, .. arguments],
            new(environment) { ["TRUSTIXPROXY__DEADLINE"] = "00:00:20" }); // however busy the machine is
}
