using System.Text.Json;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>why, over closures that are installed or not.</summary>
public sealed class WhyTests
{
    [Fact]
    public async Task A_conflict_deep_in_a_closure_that_is_not_installed_is_found_with_its_chain_and_what_would_help()
    {
        var odd = TestOutput.Make("odd");
        var chain = new List<TestOutput> { odd };
        await using var stage = await Stage.StartAsync();
        for (var depth = 0; depth < 11; depth++)
        {
            var side = TestOutput.Make($"side-{depth}");
            chain.Add(TestOutput.Make($"link-{depth}", 100, chain[^1].Path, side.Path));
            stage.Publish(side, "alice", "bob");
            stage.Publish(chain[^1], "alice", "bob", "carol");
        }

        stage.Publish(odd, "alice");
        stage.Proxy.Log("bob").Publish(odd.Forge().Statement);
        var top = chain[^1].Path;

        var (code, text, error) = await Cli.RunAsync(["why", top.Absolute, "--config", stage.Config], stage.Patient);
        var shown = await Cli.RunAsync(["why", top.Absolute, "--json", "--config", stage.Config], stage.Patient);
        using var json = JsonDocument.Parse(shown.Output);
        var root = json.RootElement.GetProperty("roots").EnumerateArray().Single();
        var obstacle = root.GetProperty("heldBackBy").EnumerateArray().Single();

        Assert.True(code is 1, error + text);
        Assert.StartsWith($"{top.Absolute} is held back: of 23 paths, 1 would be refused\n", text, StringComparison.Ordinal);
        Assert.Contains(
            "by link-10 → link-9 → link-8 → … 6 more … → link-1 → link-0 → odd; needed by 11 paths\n", text,
            StringComparison.Ordinal);
        Assert.Contains("vote: a vote of carol (now absent) would break the tie", text, StringComparison.Ordinal);
        Assert.Contains($"\"accept\": \"{odd.Statement.NarHash}\" would accept what alice proved", text, StringComparison.Ordinal);
        Assert.True(text.Split('\n').Length < 24, text);
        Assert.Equal((1, 23), (shown.Code, root.GetProperty("paths").GetInt32()));
        Assert.Equal("different outputs are proven by alice and by bob", obstacle.GetProperty("cause").GetString());
        Assert.Equal(chain.AsEnumerable().Reverse().Select(link => link.Path.Absolute),
            obstacle.GetProperty("chain").EnumerateArray().Select(path => path.GetString()));
        Assert.Equal(["vote", "exception", "exception"],
            obstacle.GetProperty("help").EnumerateArray().Select(remedy => remedy.GetProperty("kind").GetString()));
    }

    [Fact]
    public async Task Of_an_installed_root_that_is_refused_the_installed_references_are_followed()
    {
        var (libc, lib) = (TestOutput.Make("libc"), TestOutput.Make("lib"));
        var top = TestOutput.Make("system", 100, lib.Path, libc.Path);
        await using var stage = await Stage.StartAsync();
        stage.Publish(libc, "alice");
        stage.Publish(lib, "alice", "bob");

        var (code, text, error) = await Cli.RunAsync(
            ["why", top.Path.Absolute, "--config", stage.Config],
            new(stage.WithNix((top, top), (lib, lib), (libc, libc))) { ["TRUSTIXPROXY__DEADLINE"] = "00:01:00" });

        Assert.True(code is 1, error + text);
        Assert.StartsWith($"{top.Path.Absolute} is held back: of 3 paths, 2 would be refused\n", text, StringComparison.Ordinal);
        Assert.Contains($"lacks one vote, of bob or carol\n    {libc.Path.Absolute}\n      by system → libc; needed by 1 path\n", text,
            StringComparison.Ordinal);
        Assert.Contains("vote: a vote of bob (now absent) or carol (now absent) would decide it", text, StringComparison.Ordinal);
        Assert.Contains($"    {top.Path.Absolute}\n      is the root itself; needed by 0 paths\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_a_list_on_standard_input_only_roots_are_shown_and_nothing_that_holds_them_back_is_exit_code_0()
    {
        var lib = TestOutput.Make("lib");
        var top = TestOutput.Make("system", 100, lib.Path);
        await using var stage = await Stage.StartAsync();
        stage.Publish(lib, "alice", "bob");
        stage.Publish(top, "alice", "bob");

        var well = await Cli.RunAsync(
            ["why", "-", "--config", stage.Config], stage.Patient, $"{lib.Path.Absolute}\n{top.Path.Absolute}\n");
        var none = await Cli.RunAsync(["why", "-", "--config", stage.Config], stage.Patient, "");

        Assert.Equal(
            (0, $"{top.Path.Absolute}: nothing holds it back; 2 paths would be served\n"), (well.Code, well.Output));
        Assert.Equal((2, "PATH: no path to check.\n"), (none.Code, none.Error));
    }

    [Fact]
    public async Task Missing_answers_alone_are_exit_code_3_and_who_is_away_is_said_first()
    {
        var output = TestOutput.Make();
        await using var stage = await Stage.StartAsync();
        stage.Publish(output, "alice");
        await stage.Proxy.Log("bob").StopAsync();
        stage.Proxy.Log("carol").Lie = LogLie.Hang;

        var (code, text, error) = await Cli.RunAsync(["why", output.Path.Absolute, "--config", stage.Config],
            new(stage.WithoutNix) { ["TRUSTIXPROXY__DEADLINE"] = "00:00:05" });

        Assert.True(code is 3, error);
        Assert.Contains("(some answers missing)", text, StringComparison.Ordinal);
        Assert.Matches(@"elector: bob could not be reached: ask again when it answers\n"
            + @" +deadline: carol did not answer in time: ask again, or raise `deadline` \(now 5 s\)\n"
            + @" +vote: a vote of bob \(now [a-z-]+\) or carol \(now no-answer\) would decide it\n", text);
    }
}
