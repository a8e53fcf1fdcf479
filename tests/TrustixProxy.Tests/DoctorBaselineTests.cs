using System.Text.Json;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>doctor in CI: what was seen before is not a reason to fail, and what is new or worse is.</summary>
public sealed class DoctorBaselineTests
{
    [Fact]
    public async Task Only_what_is_new_worse_or_solved_since_the_last_run_is_shown()
    {
        var (good, rare, tool) = (TestOutput.Make("good"), TestOutput.Make("rare"), TestOutput.Make("tool"));
        await using var stage = await Stage.StartAsync();
        stage.Publish(good, "alice", "bob", "carol");
        stage.Publish(rare, "alice");
        stage.Publish(tool, "alice");
        var file = stage.Folder.File("doctor-baseline.json");

        var first = await RunAsync(stage, file, good, rare, tool);
        var second = await RunAsync(stage, file, good, rare, tool);
        stage.Proxy.Log("bob").Publish(tool.Forge().Statement);
        var third = await RunAsync(stage, file, good, rare, tool);
        stage.Publish(rare, "bob");
        var fourth = await RunAsync(stage, file, good, rare);

        Assert.True(first.Code is 1, first.ToString());
        Assert.Contains("2 paths would be refused, by cause:\n  2 paths: lacks one vote, of bob or carol\n", first.Output,
            StringComparison.Ordinal);
        Assert.True(second.Code is 0, second.Error);
        Assert.Contains(": 0 new, 0 changed, 0 solved, 2 as before, 0 not looked at this time\n", second.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("/nix/store/", second.Output, StringComparison.Ordinal);
        Assert.True(third.Code is 1, third.Error);
        Assert.Contains(": 0 new, 1 changed, 0 solved, 1 as before", third.Output, StringComparison.Ordinal);
        Assert.Contains("1 path: different outputs are proven by alice and by bob\n", third.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(rare.Path.Absolute, third.Output, StringComparison.Ordinal);
        Assert.True(fourth.Code is 0, fourth.Error);
        Assert.Contains($": 0 new, 0 changed, 1 solved, 0 as before, 1 not looked at this time\nsolved {rare.Path.Absolute}\n",
            fourth.Output, StringComparison.Ordinal);
        Assert.Equal([Path.GetFileName(file)],
            Directory.GetFiles(stage.Folder.Path, "doctor-baseline*").Select(name => Path.GetFileName(name)));
    }

    [Fact]
    public async Task An_elector_that_is_away_for_a_run_neither_fails_it_nor_clears_the_baseline()
    {
        var (good, rare) = (TestOutput.Make("good"), TestOutput.Make("rare"));
        await using var stage = await Stage.StartAsync();
        stage.Publish(good, "alice", "bob", "carol");
        stage.Publish(rare, "alice");
        var file = stage.Folder.File("doctor-baseline.json");

        var first = await RunAsync(stage, file, good, rare);
        await stage.Proxy.Log("carol").StopAsync();
        var second = await RunAsync(stage, file, good, rare);
        var other = TestOutput.Make("other");
        stage.Publish(other, "alice");
        var third = await RunAsync(stage, file, good, rare, other);
        using var kept = JsonDocument.Parse(await File.ReadAllTextAsync(file));

        Assert.Equal((1, 0, 3), (first.Code, second.Code, third.Code));
        Assert.Equal([(rare.Path.Absolute, "lacks one vote, of bob or carol")], kept.RootElement.GetProperty("paths").EnumerateArray()
            .Select(path => (path.GetProperty("path").GetString()!, path.GetProperty("cause").GetString()!)));
    }

    [Theory]
    [InlineData("{", "is not a baseline of doctor")]
    [InlineData("{}", "is not a baseline of doctor")]
    [InlineData("null", "is empty")]
    [InlineData("""{"version":2,"at":"2026-11-29T00:00:00Z","paths":[]}""", "has version 2; 1 is read")]
    [InlineData("""{"version":1,"at":"2026-11-29T00:00:00Z","paths":[null]}""", "names a path twice or not at all")]
    public async Task A_file_that_is_no_baseline_is_refused_and_stays_as_it_is(string text, string fault)
    {
        var output = TestOutput.Make();
        await using var stage = await Stage.StartAsync();
        var file = stage.Folder.File("doctor-baseline.json", text);

        var (code, _, error) = await RunAsync(stage, file, output);

        Assert.Equal(2, code);
        Assert.Contains($"--baseline: '{file}' ", error, StringComparison.Ordinal);
        Assert.Contains(fault, error, StringComparison.Ordinal);
        Assert.Equal(text, await File.ReadAllTextAsync(file));
    }

    [Fact]
    public async Task A_folder_is_no_baseline()
    {
        var output = TestOutput.Make();
        await using var stage = await Stage.StartAsync();

        var folder = await RunAsync(stage, stage.Folder.Path, output);
        var nowhere = await RunAsync(stage, stage.Folder.File("none/doctor.json"), output);

        Assert.Equal((2, 2), (folder.Code, nowhere.Code));
        Assert.Contains("Name a file in an existing folder.", folder.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_difference_is_in_the_json_and_the_dashboard_keeps_the_whole_report()
    {
        var rare = TestOutput.Make("rare");
        await using var stage = await Stage.StartAsync();
        stage.Publish(rare, "alice");
        var file = stage.Folder.File("doctor-baseline.json");
        await RunAsync(stage, file, rare);

        var (code, text, error) = await Cli.RunAsync(["doctor", "-", "--json", "--baseline", file, "--config", stage.Config],
            stage.Patient, rare.Path.Absolute);
        using var json = JsonDocument.Parse(text);
        using var kept = JsonDocument.Parse(await File.ReadAllTextAsync(stage.Folder.File("state/doctor.json")));

        Assert.True(code is 0, error);
        Assert.Equal((0, 1), (json.RootElement.GetProperty("refused").GetArrayLength(),
            json.RootElement.GetProperty("baseline").GetProperty("same").GetInt32()));
        Assert.Equal((1, JsonValueKind.Null), (kept.RootElement.GetProperty("refused").GetArrayLength(),
            kept.RootElement.GetProperty("baseline").ValueKind));
    }

    private static Task<(int Code, string Output, string Error)> RunAsync(Stage stage, string file, params TestOutput[] outputs) =>
        Cli.RunAsync(["doctor", "-", "--baseline", file, "--config", stage.Config], stage.Patient,
            string.Join('\n', outputs.Select(output => output.Path.Absolute)));
}
