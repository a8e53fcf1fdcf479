using System.Text.Json;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>doctor, over a store that a stand-in for Nix speaks of.</summary>
public sealed class DoctorTests
{
    [Fact]
    public async Task A_closure_is_reported_with_what_is_installed_otherwise_the_worst_and_whose_vote_would_help()
    {
        var (libc, tool, odd) = (TestOutput.Make("libc"), TestOutput.Make("tool"), TestOutput.Make("odd"));
        var top = TestOutput.Make("system", 100, libc.Path, tool.Path, odd.Path);
        await using var stage = await Stage.StartAsync();
        stage.Publish(top, "alice", "bob");
        stage.Publish(libc, "alice");
        stage.Publish(tool, "alice", "carol");
        stage.Publish(odd, "alice");
        stage.Proxy.Log("bob").Publish(odd.Forge().Statement);
        var environment = stage.WithNix((top, top), (libc, libc), (tool, tool.Forge()), (odd, odd));

        var shown = await Cli.RunAsync(["doctor", top.Path.Absolute, "--config", stage.Config], environment);
        var (code, text, error) = await Cli.RunAsync(["doctor", top.Path.Absolute, "--json", "--config", stage.Config], environment);
        using var json = JsonDocument.Parse(text);
        var root = json.RootElement;

        Assert.True(code is 1, error);
        Assert.Equal((4, 4), (root.GetProperty("paths").GetInt32(), root.GetProperty("installed").GetInt32()));
        Assert.Equal("""{"agreed":2,"undecided":1,"conflict":1}""", JsonSerializer.Serialize(root.GetProperty("outcomes")));
        Assert.Equal([(tool.Path.Absolute, 2), (odd.Path.Absolute, 1)], root.GetProperty("installedOtherwise").EnumerateArray()
            .Select(item => (item.GetProperty("path").GetString()!, item.GetProperty("against").EnumerateObject().Count())));
        Assert.Equal([(odd.Path.Absolute, 1), (libc.Path.Absolute, 1)], root.GetProperty("refused").EnumerateArray()
            .Select(item => (item.GetProperty("path").GetString()!, item.GetProperty("neededBy").GetInt32())));
        Assert.Equal(
            ["bob", "carol"], root.GetProperty("helpers").EnumerateArray().Select(item => item.GetProperty("elector").GetString()));
        Assert.Equal("", error);
        // for the dashboard
        Assert.True(DoctorSummary.Read(
            stage.Folder.File("state")) is { Report: { Paths: 4, Refused.Count: 2, InstalledOtherwise: [{ Against.Count: 2 }, _] } });
        Assert.StartsWith("4 paths, 4 of them installed\n  agreed                   2\n", shown.Output, StringComparison.Ordinal);
        Assert.Contains($"INSTALLED DIFFERS {tool.Path.Absolute} (agreed): ", shown.Output, StringComparison.Ordinal);
        Assert.Contains("a vote of bob would decide 1 of 1 path that is undecided (now absent 1)", shown.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_installed_as_agreed_is_not_shouted_about_because_one_elector_dissents()
    {
        var (tool, odd) = (TestOutput.Make("tool"), TestOutput.Make("odd"));
        await using var stage = await Stage.StartAsync();
        foreach (var output in new[] { tool, odd })
        {
            stage.Publish(output, "alice", "carol");
            stage.Proxy.Log("bob").Publish(output.Forge().Statement);
        }

        var well = await Cli.RunAsync(["doctor", tool.Path.Absolute, "--config", stage.Config], stage.WithNix((tool, tool)));
        var unwell = await Cli.RunAsync(
            ["doctor", tool.Path.Absolute, "--json", "--config", stage.Config], stage.WithNix((tool, tool), (odd, odd.Forge())));
        using var json = JsonDocument.Parse(unwell.Output);

        Assert.Equal((0, "1 path, 1 of them installed\n  agreed                   1\n"
            + "1 path installed as accepted, against outvoted electors: bob 1\n"), (well.Code, well.Output));
        Assert.Equal(1, unwell.Code);
        Assert.Equal([odd.Path.Absolute], PathsOf(json, "installedOtherwise"));
        Assert.Equal([tool.Path.Absolute], PathsOf(json, "dissents"));
    }

    [Fact]
    public async Task What_is_installed_and_was_revoked_since_comes_first()
    {
        var (good, revoked, rare) = (TestOutput.Make("good"), TestOutput.Make("revoked"), TestOutput.Make("rare"));
        await using var stage = await Stage.StartAsync();
        stage.Publish(good, "alice", "bob");
        stage.Publish(revoked, "alice", "bob");
        stage.Publish(rare, "alice");
        var state = Directory.CreateDirectory(stage.Folder.File("state")).FullName;
        Assert.Equal(0, (await Cli.RunAsync(["keygen", Path.Combine(state, "signing.key"), "--name", "doctor-1"])).Code);
        Assert.Equal(0, (await Cli.RunAsync(["revoke", revoked.Path.Absolute, "--reason", "phones home", "--config", stage.Config])).Code);

        var (code, text, error) = await Cli.RunAsync(
            ["doctor", good.Path.Absolute, "--config", stage.Config], stage.WithNix((good, good), (revoked, revoked), (rare, rare)));

        Assert.True(code is 1, error);
        var first = text.Split('\n').First(line => line.StartsWith("    needed by", StringComparison.Ordinal));
        Assert.Contains($"{revoked.Path.Absolute}: installed, and revoked: ", first, StringComparison.Ordinal);
        Assert.Contains("phones home", first, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_on_standard_input_needs_no_nix_and_a_good_one_is_exit_code_0()
    {
        var output = TestOutput.Make();
        await using var stage = await Stage.StartAsync();
        stage.Publish(output, "alice", "bob");

        var good = await Cli.RunAsync(
            ["doctor", "-", "--config", stage.Config], stage.WithoutNix, $"{output.Path.Absolute}\n{output.Path}\n");
        var bad = await Cli.RunAsync(["doctor", "-", "--config", stage.Config], stage.WithoutNix, "hello\n");
        var other = await Cli.RunAsync(
            ["doctor", "-", "--config", stage.Config], stage.WithoutNix, $"{output.Path.In(Store.Guix).Absolute}\n");
        var none = await Cli.RunAsync(["doctor", "--config", stage.Config], stage.WithoutNix);

        Assert.Equal("1 path, 0 of them installed\n  agreed                   1\n", good.Output);
        Assert.Equal((0, 2), (good.Code, bad.Code));
        Assert.Contains("installed paths are not checked: nix-store was not found", good.Error, StringComparison.Ordinal);
        Assert.Contains("Standard input has the line 'hello', which is not a store path.", bad.Error, StringComparison.Ordinal);
        Assert.Equal(2, other.Code);
        Assert.Contains("which is not in /nix/store: name paths of that store", other.Error, StringComparison.Ordinal);
        Assert.True(none.Code is 2 or 3, none.Error); // there is no /run/current-system, or no Nix that knows it
    }

    [Fact]
    public async Task What_could_not_be_found_out_for_want_of_answers_is_exit_code_3_and_dead_electors_do_not_hold_up_a_long_list()
    {
        var outputs = Enumerable.Range(0, 60).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var stage = await Stage.StartAsync();
        outputs.ForEach(output => stage.Publish(output, "alice"));
        await stage.Proxy.Log("bob").StopAsync();
        stage.Proxy.Log("carol").Lie = LogLie.Reset;

        var (code, text, error) = await Cli.RunAsync(
            ["doctor", "-", "--config", stage.Config], stage.WithoutNix, string.Join('\n', outputs.Select(output => output.Path.Absolute)));

        Assert.True(code is 3, error);
        Assert.Contains("60 paths would be refused, by cause:\n  60 paths: lacks one vote, of bob or carol\n", text,
            StringComparison.Ordinal);
        Assert.Contains("undecided (some answers missing): 2 of 3 needed", text, StringComparison.Ordinal);
    }

    private static IEnumerable<string?> PathsOf(JsonDocument json, string list) =>
        json.RootElement.GetProperty(list).EnumerateArray().Select(item => item.GetProperty("path").GetString());
}
