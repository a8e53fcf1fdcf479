using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.EndToEnd;

/// <summary>From a build to another machine's store; and what goes wrong on the way never troubles the build, and never puts anything wrong
/// into a log.</summary>
[Collection(NixLabCollection.Name)]
public sealed class PublishingTests(NixLab lab)
{
    [Fact]
    public async Task What_two_machines_built_and_published_a_third_one_substitutes()
    {
        var script = new Builder(lab, "a-script");
        var verb = new Builder(lab, "a-verb", Script("hook-verb", $"exec {Executable.Words} hook"));
        var (built, said) = await script.BuildAsync("published-1.0", "out", "dev", "doc");
        await verb.BuildAsync("published-1.0", "out", "dev", "doc");
        Assert.DoesNotContain("trustix", said.Replace(script.Hook, ""), StringComparison.Ordinal);
        Assert.Equal(3, built.Count);

        var first = await script.PublishAsync("alice");
        var second = await verb.PublishAsync("carol");
        await script.CopyAsync(lab.CacheOf("published"), built);

        Assert.All([first, second], result => Assert.StartsWith(
            "published 3 paths, 0 excluded; 0 jobs given up, 0 rejected, 0 left", result.OrThrow().Output, StringComparison.Ordinal));
        Assert.Equal((0, 0), (script.Jobs, verb.Jobs));
        Assert.All(
            [script, verb], builder => Assert.Equal(["lock"], Directory.GetFileSystemEntries(builder.Spool).Select(Path.GetFileName)));
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("published"));
        await using var proxy = await lab.StartProxyAsync(TimeSpan.FromSeconds(3), cache.Url);
        await Task.Delay(1000);
        (await lab.RealiseAsync("b-published", proxy.Url, proxy.PublicKey, [.. built])).OrThrow();
        await lab.AssertVerifiedAsync("b-published", built);
    }

    [Fact]
    public async Task A_dead_log_is_not_noticed_by_the_build_and_gets_everything_when_it_is_back()
    {
        var builder = new Builder(lab, "a-dead");
        await lab.KillLogAsync("carol");
        var (built, said) = await builder.BuildAsync("dead-1.0");
        var unreachable = await builder.PublishAsync("carol");
        var jobs = builder.Jobs;
        await lab.ReviveAsync("carol");
        var published = await builder.PublishAsync("carol");

        Assert.DoesNotContain("will not be published", said, StringComparison.Ordinal);
        Assert.Equal((3, 1), (unreachable.Code, jobs));
        Assert.Contains("Cannot reach the log; jobs waiting (1)", unreachable.Error, StringComparison.Ordinal);
        Assert.Equal((0, 0), (published.Code, builder.Jobs));
        Assert.True(await IsInLogAsync("carol", built[0]));
    }

    [Theory]
    [InlineData("full")]
    [InlineData("missing")]
    [InlineData("a file")]
    [InlineData("read-only")]
    public async Task A_spool_that_takes_nothing_is_a_warning_and_the_build_is_good(string fault)
    {
        var script = new Builder(lab, $"a-{fault.Replace(' ', '-')}");
        var verb = new Builder(lab, $"a-verb-{fault.Replace(' ', '-')}", Script("hook-verb", $"exec {Executable.Words} hook"));
        foreach (var builder in new[] { script, verb })
        {
            if (fault is "full")
            {
                await File.WriteAllTextAsync(Path.Combine(builder.Spool, "1.job"), "");
                builder.Environment["TRUSTIX_SPOOL_MAX"] = "1";
            }

            builder.Environment["TRUSTIX_SPOOL"] = fault switch
            {
                "full" => builder.Spool,
                "missing" => "/nowhere/spool",
                "a file" => Builder.Script,
                _ => "/proc/self", // a directory in which nobody, not even root, can make a file
            };

            var (built, said) = await builder.BuildAsync($"spool-{fault.Replace(' ', '-')}");

            Assert.True(File.Exists(
                Path.Combine(lab.Directory, "stores", Path.GetFileName(builder.Spool)["spool-".Length..], built[0].Absolute[1..])));
            Assert.Single(
                said.Split('\n'), line => line.Contains("trustix: these outputs will not be published: ", StringComparison.Ordinal));
            Assert.Equal(fault is "full" ? 1 : 0, builder.Jobs);
        }
    }

    [Fact]
    public async Task What_was_collected_after_it_was_described_is_published_as_it_was_built()
    {
        var builder = new Builder(lab, "a-described");
        var (built, _) = await builder.BuildAsync("described-1.0");
        await builder.DescribedAsync();

        Assert.True(await builder.CollectAsync(built[0]));
        (await builder.PublishAsync("alice")).OrThrow();

        Assert.True(await IsInLogAsync("alice", built[0]));
    }

    [Fact]
    public async Task What_was_not_described_is_kept_from_collection_until_the_publisher_has_asked_nix_itself()
    {
        var builder = new Builder(lab, "a-undescribed");
        builder.Environment["PATH"] = PathWithFailingNix();
        var (built, _) = await builder.BuildAsync("undescribed-1.0", "out", "dev");
        await builder.RootedAsync(built);

        Assert.False(await builder.CollectAsync(built[0]));
        builder.Environment.Remove("PATH");
        var published = await builder.PublishAsync("alice");

        Assert.StartsWith("published 2 paths, ", published.OrThrow().Output, StringComparison.Ordinal);
        Assert.True(await IsInLogAsync("alice", built[0]));
        Assert.True(await builder.CollectAsync(built[0]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_was_collected_or_replaced_before_it_was_described_is_given_up_clearly(bool isReplaced)
    {
        var builder = new Builder(lab, $"a-lost-{isReplaced}");
        builder.Environment["PATH"] = PathWithFailingNix();
        var (built, _) = await builder.BuildAsync($"lost-{isReplaced}");
        builder.Environment.Remove("PATH");
        await builder.RootedAsync(built);
        Directory.GetFiles(builder.Spool, "*.root-*").ToList().ForEach(File.Delete);
        Assert.True(await builder.CollectAsync(built[0]));
        if (isReplaced)
        {
            var spool = builder.Environment["TRUSTIX_SPOOL"];
            await Task.Delay(1500);
            builder.Environment["TRUSTIX_SPOOL"] = "/nowhere";
            await builder.BuildAsync($"lost-{isReplaced}");
            builder.Environment["TRUSTIX_SPOOL"] = spool;
        }

        var published = (await builder.PublishAsync("alice")).OrThrow();

        Assert.StartsWith("published 0 paths, 0 excluded; 1 job given up", published.Output, StringComparison.Ordinal);
        Assert.Contains(
            isReplaced ? "may have been replaced since it was built" : "was garbage-collected", published.Error, StringComparison.Ordinal);
        Assert.False(await IsInLogAsync("alice", built[0]));
        Assert.Equal(0, builder.Jobs);
    }

    [Fact]
    public async Task Names_that_are_excluded_stay_at_home()
    {
        var builder = new Builder(lab, "a-excluded");
        var (open, _) = await builder.BuildAsync("open-1.0");
        var (secret, _) = await builder.BuildAsync("secret-1.0");

        var published = (await builder.PublishAsync("alice", "secret-*")).OrThrow();

        Assert.StartsWith("published 1 path, 1 excluded; ", published.Output, StringComparison.Ordinal);
        Assert.True(await IsInLogAsync("alice", open[0]));
        Assert.False(await IsInLogAsync("alice", secret[0]));
    }

    [Fact]
    public async Task A_closure_is_submitted_as_far_as_it_was_built_here()
    {
        var top = lab.Top.Absolute;
        (await Shell.RunAsync(
            "nix", ["copy", "--no-check-sigs", "--from", $"file://{lab.CacheOf("none")}", .. lab.Closure.Where(path => path.Name.StartsWith(
            "fan", StringComparison.Ordinal)).Select(path => path.Absolute)], lab.Environment("a-mixed", []))).OrThrow();
        (await Shell.RunAsync("nix-build", [Path.Combine(lab.Directory, "lab.nix"), "-A", "top", "--no-out-link"],
            lab.Environment("a-mixed", []), 120)).OrThrow();
        string[] verb = ["log", "submit-closure", "--url", lab.Log("carol").Urls[1], "--token-file", lab.TokenOf("carol"), top];

        var mixed = (await Daemon.RunAsync(verb, lab.Environment("a-mixed", []))).OrThrow();
        var filtered = (await Daemon.RunAsync(
            [.. verb, "--include", "chain-*", "--include", "top-*", "--exclude", "chain-1*"], lab.Environment("builder", []))).OrThrow();
        var none = (await Daemon.RunAsync([.. verb, "--exclude", "*"], lab.Environment("builder", []))).OrThrow();
        var all = (await Daemon.RunAsync([.. verb, "--all"], lab.Environment("a-mixed", []))).OrThrow();

        // leaf-1.0 came with the twelve fan-*; top-1.0 and the ten of chain-* were built.
        Assert.Equal("submitted 11 paths; skipped 13 not built here, 0 held back by --include and --exclude\n", mixed.Output);
        Assert.Equal("submitted 9 paths; skipped 0 not built here, 15 held back by --include and --exclude\n", filtered.Output);
        Assert.Equal("submitted 0 paths; skipped 0 not built here, 24 held back by --include and --exclude\n", none.Output);
        Assert.Equal("submitted 24 paths; skipped 0 not built here, 0 held back by --include and --exclude\n", all.Output);
    }

    [Fact]
    public async Task A_machine_without_the_nix_command_says_the_same_by_nix_store()
    {
        var spare = lab.Outputs["top"];
        var environment = lab.Environment("builder", []);
        environment["PATH"] = PathWithFailingNix();
        var size = await SizeAsync("carol");
        string[] verb = ["log", "submit", "--url", lab.Log("carol").Urls[1], "--token-file", lab.TokenOf("carol"), spare.Absolute];

        (await Daemon.RunAsync(verb, environment)).OrThrow();
        (await Daemon.RunAsync(verb, lab.Environment("builder", []))).OrThrow();

        Assert.InRange(await SizeAsync("carol"), size, size + 1); // one entry for both, and no other value for it:
        Assert.DoesNotContain("differ", lab.Log("carol").Lines, StringComparison.Ordinal);
    }

    private static async Task<JsonNode> AskAsync(string url, string call, object request)
    {
        using var client = new HttpClient();
        using var answer = await client.PostAsJsonAsync(new Uri($"{url}/trustix_api.v1.{call}"), request, JsonSerializerOptions.Default);
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
    }

    private async Task<string> LogIdAsync(string log) =>
        (await AskAsync(lab.Log(log).Urls[0], "NodeAPI/Logs", new { }))["Logs"]![0]!["LogID"]!.GetValue<string>();

    private async Task<long> SizeAsync(string log) =>
        long.Parse(
            (await AskAsync(lab.Log(log).Urls[0], "LogAPI/GetHead", new { LogID = await LogIdAsync(log) }))["TreeSize"]?.ToString() ?? "0");

    private async Task<bool> IsInLogAsync(string log, StorePath path)
    {
        var request = new { LogID = await LogIdAsync(log), Start = "0", Finish = $"{await SizeAsync(log) - 1}" };
        var entries = await AskAsync(lab.Log(log).Urls[0], "LogAPI/GetLogEntries", request);
        return entries["Leaves"] is JsonArray leaves
            && leaves.Any(leaf => leaf!["Key"]!.ToString() == Convert.ToBase64String(Encoding.ASCII.GetBytes(path.Absolute)));
    }

    /// <summary>A PATH on which the hook, in the background, finds a Nix that describes nothing.</summary>
    private string PathWithFailingNix() =>
        $"{Path.GetDirectoryName(Script("no-nix/nix", "exit 1"))}:{System.Environment.GetEnvironmentVariable("PATH")}";

    /// <summary>A script of one line.</summary>
    private string Script(string name, string line) => RunnableFile.WriteScript(Path.Combine(lab.Directory, name), line);
}
