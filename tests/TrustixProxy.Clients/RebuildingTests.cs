using System.Text.Json.Nodes;
using TrustixProxy.Nix;

namespace TrustixProxy.Clients;

/// <summary>Rebuilders over real Nix: what they build themselves reaches the logs, and builders stay shut in.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class RebuildingTests(ClientLab lab)
{
    [Theory]
    [EachClient]
    public async Task A_path_that_stores_hold_from_elsewhere_is_really_built_and_the_built_hash_is_published(string version)
    {
        var stage = await RebuildStage.MakeAsync(lab, version, "held", """[ (mk "dice-held" [ "random" ]) ]""");
        var derivation = (await stage.InstantiateAsync()).Values.Single();
        var path = (await stage.OutputsAsync()).Values.Single();
        var elsewhere = await stage.RunAsync("nix-store", "--store", $"{stage.Store}-elsewhere", "-r", derivation.Absolute);
        Assert.True(elsewhere.Code is not 0, "the derivation is only in the machine's store");
        (await stage.RunAsync("nix", "copy", "--derivation", "--to", $"{stage.Store}-elsewhere", derivation.Absolute)).OrThrow();
        (await stage.RunAsync("nix-store", "--store", $"{stage.Store}-elsewhere", "-r", derivation.Absolute)).OrThrow();
        foreach (var held in new[] { "local", stage.Store })
        {
            (await stage.RunAsync("nix", "copy", "--no-check-sigs", "--from", $"{stage.Store}-elsewhere", "--to", held, path.Absolute))
                .OrThrow();
        }

        var before = await stage.HashOfAsync(path.Absolute);
        var run = await stage.RebuildAsync(new { }, path.Absolute, "--json");

        Assert.True(run.Code is 0, run.ToString());
        var built = JsonNode.Parse(run.Output)![0]!["outputs"]![0]!["narHash"]!.GetValue<string>();
        Assert.NotEqual(before, built);
        Assert.Equal(await stage.HashOfAsync(path.Absolute), built);
        Assert.StartsWith("published 1 path", (await lab.PublishAsync(stage.Spool, "alice")).OrThrow().Output, StringComparison.Ordinal);
    }

    [Theory]
    [EachClient]
    public async Task A_build_that_fills_the_disk_or_takes_too_long_fails_with_the_bound_that_it_exceeded(string version)
    {
        var stage = await RebuildStage.MakeAsync(lab, version, "bounds",
            """[ (mk "filler" [ "fill" "40" ]) (mk "sleeper" [ "fill" "1" ]) ]""");
        var paths = await stage.OutputsAsync();

        var run = await stage.RebuildAsync(new { disk = "20MiB", time = "00:00:15", expressions = new[] { stage.Expression }, retries = 0 },
            [.. paths.Values.Select(path => path.Absolute)]);

        Assert.True(run.Code is 1, run.ToString());
        Assert.Contains("of disk, more than 20971520 (rebuilder.disk)", run.Output, StringComparison.Ordinal);
        Assert.Matches($"sleeper-{version}: .*(rebuilder.time|timed out)", run.Output);
        Assert.False(Directory.Exists(stage.Spool) && Directory.GetFiles(stage.Spool, "*.job").Length > 0);
    }

    [Theory]
    [EachClient]
    public async Task An_input_that_is_built_too_has_the_bound_of_disk_too(string version)
    {
        var stage = await RebuildStage.MakeAsync(lab, version, "bounds-in", """
            let filler = mk "filler-in" [ "fill" "40" ]; in [ filler (mk "roof" [ "write" "${filler}" ]) ]
            """);
        var roof = (await stage.OutputsAsync())["roof"].Absolute;

        var run = await stage.RebuildAsync(
            new { disk = "20MiB", time = "00:01:00", expressions = new[] { stage.Expression }, inputs = "build" }, roof);

        Assert.True(run.Code is 1, run.ToString());
        Assert.Contains("of disk, more than 20971520 (rebuilder.disk)", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [EachClient]
    public async Task What_is_for_another_system_or_has_an_excluded_name_is_refused_for_good_and_nothing_is_published(string version)
    {
        var stage = await RebuildStage.MakeAsync(
            lab, version, "refused", """[ (mk "foreign" [ "write" "x" ]) (mk "secret" [ "write" "x" ]) ]""");
        var derivations = await stage.InstantiateAsync();

        var foreign = await stage.RebuildAsync(new { systems = new[] { "riscv64-linux" } }, derivations["foreign"].Absolute);
        var secret = await stage.RebuildAsync(new { exclude = new[] { "secret-*" } }, derivations["secret"].Absolute);

        Assert.Equal((1, 1), (foreign.Code, secret.Code));
        Assert.Matches("it is for [a-z0-9_]+-linux; rebuilder.systems has riscv64-linux", foreign.Output);
        Assert.Contains("rebuilder.include and rebuilder.exclude do not admit its name", secret.Output, StringComparison.Ordinal);
        Assert.All(await stage.ResultsAsync(), result => Assert.Null(result["retryAt"]));
        Assert.False(Directory.Exists(stage.Spool) && Directory.GetFiles(stage.Spool, "*.job").Length > 0);
    }

    [Theory]
    [EachClient]
    public async Task A_full_store_makes_room_and_the_work_goes_on(string version)
    {
        var stage = await RebuildStage.MakeAsync(
            lab, version, "full", """builtins.genList (i: mk "room-${toString i}" [ "fill" "8" "0" (toString i) ]) 4""");
        var derivations = (await stage.InstantiateAsync()).Values.Select(path => path.Absolute).ToArray();

        var run = await stage.RebuildAsync(new { totalDisk = "24MiB" }, derivations);

        Assert.True(run.Code is 0, run.ToString());
        Assert.Equal(4, Directory.GetFiles(stage.Spool, "*.job").Length);
        var left = Directory.GetFileSystemEntries(Path.Combine(stage.Store, "nix/store"))
            .Where(path => path.Contains("-room-", StringComparison.Ordinal) && !path.EndsWith(".drv", StringComparison.Ordinal));
        Assert.InRange(left.Count(), 1, 3);
    }

    [Theory]
    [EachClient]
    public async Task A_build_that_would_fill_the_store_ends_while_it_runs_and_waits_and_hidden_files_count(string version)
    {
        var stage = await RebuildStage.MakeAsync(
            lab, version, "filling", """[ (mk "hider" [ "hide" "60" ]) (mk "filler-store" [ "fill" "60" ]) ]""");
        var paths = await stage.OutputsAsync();
        var settings = new { totalDisk = "30MiB", time = "00:05:00", expressions = new[] { stage.Expression }, retries = 0 };

        var filled = await stage.RebuildAsync(settings, paths["filler-store"].Absolute, "--json");
        var hidden = await stage.RebuildAsync(settings, paths["hider"].Absolute, "--json");

        foreach (var run in new[] { filled, hidden })
        {
            Assert.True(run.Code is 1, run.ToString());
            var record = JsonNode.Parse(run.Output)![0]!;
            Assert.Contains("more than 31457280 (rebuilder.totalDisk)", record["reason"]!.GetValue<string>(), StringComparison.Ordinal);
            Assert.Equal((0, 1), (record["attempts"]!.GetValue<int>(), record["waits"]!.GetValue<int>()));
            Assert.NotNull(record["retryAt"]);
        }
    }

    [Theory]
    [EachClient]
    public async Task Killed_at_twenty_random_moments_it_publishes_each_build_once_with_the_hash_that_its_store_holds(string version)
    {
        var stage = await RebuildStage.MakeAsync(lab, version, "killed", """
            builtins.genList (i: mk "dice-${toString i}" [ "random" "500" ]) 8
            """);
        var paths = (await stage.OutputsAsync()).Values.Select(path => path.Absolute).ToArray();
        var settings = new { expressions = new[] { stage.Expression }, jobs = 2 };
        var random = new Random(20);
        for (var i = 0; i < 20; i++)
        {
            using var process = await stage.StartAsync(settings, paths);
            await Task.WhenAny(process.WaitForExitAsync(), Task.Delay(random.Next(200, 6000)));
            process.Kill(); // only it: what it has started goes on, as after kill -9
            await process.WaitForExitAsync();
        }

        var run = await stage.RebuildAsync(settings, paths);

        Assert.True(run.Code is 0, run.ToString());
        var jobs = Directory.GetFiles(stage.Spool, "*.info")
            .Select(file => JsonNode.Parse(File.ReadAllText(file))!.AsArray().Single()!).ToList();
        Assert.Equal(paths.Order(), jobs.Select(job => job["path"]!.GetValue<string>()).Order());
        foreach (var job in jobs)
        {
            Assert.True(NixHash.TryParse(job["narHash"]!.GetValue<string>(), out var published, out _));
            Assert.Equal(await stage.HashOfAsync(job["path"]!.GetValue<string>()), published.ToString());
        }
    }
}
