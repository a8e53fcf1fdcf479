using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Testing;

namespace TrustixProxy.Clients;

/// <summary>Rebuilders, publishers and disks that break down: nothing is lost, repeated without end, or published twice.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class RebuildBreakdownTests(ClientLab lab)
{
    [Theory]
    [EachClient]
    public async Task A_build_that_always_kills_the_rebuilder_is_given_up_and_one_beside_it_is_built(string version)
    {
        var stage = await RebuildStage.MakeAsync(lab, version, "killer",
            """[ (mk "killer" [ "write" "x" ]) (mk "beside" [ "random" "1000" ]) ]""");
        var outputs = await stage.OutputsAsync();
        var list = Directory.CreateDirectory(Path.Combine(lab.Directory, $"list-{version}")).FullName;
        await File.WriteAllTextAsync(Path.Combine(list, "wanted"), JsonSerializer.Serialize(
            new { wanted = outputs.Values.Select(path => new { storePath = path.Absolute }) }));
        await using var served = await FaultyCache.StartAsync(list);
        var settings = new
        {
            wanted = new[] { served.Url },
            expressions = new[] { stage.Expression },
            retries = 1,
            backoff = "00:00:00",
            jobs = 2,
        };
        stage.Interpose("case \"$*\" in *' -r '*-killer-*) kill -9 $PPID; exit 1;; esac");

        var kills = 0;
        for (var run = await stage.RebuildAsync(settings, "--once"); run.Code is not 0; run = await stage.RebuildAsync(settings, "--once"))
        {
            Assert.True(++kills <= 2, run.ToString());
        }

        var results = (await stage.ResultsAsync()).ToDictionary(result => result["path"]!.GetValue<string>());
        var (killer, beside) = (results[outputs["killer"].Absolute], results[outputs["beside"].Absolute]);
        Assert.Equal(("interrupted", 2, 2), (
            killer["state"]!.GetValue<string>(), killer["attempts"]!.GetValue<int>(), killer["interruptions"]!.GetValue<int>()));
        Assert.Null(killer["retryAt"]);
        Assert.Equal("the rebuilder or its machine broke down while it was building, 2 times so far; it is built again only if it is named "
            + "to rebuild", killer["reason"]!.GetValue<string>());
        Assert.Equal("queued", beside["state"]!.GetValue<string>());
        Assert.Single(Directory.GetFiles(stage.Spool, "*.job"));

        stage.Interpose("");
        var named = await stage.RebuildAsync(settings, outputs["killer"].Absolute);
        Assert.True(named.Code is 0, named.ToString());
    }

    [Theory]
    [EachClient]
    public async Task What_was_built_before_is_shown_after_a_later_build_failed_and_both_results_are_published(string version)
    {
        var stage = await RebuildStage.MakeAsync(lab, version, "again", """[ (mk "dice-again" [ "random" ]) ]""");
        var path = (await stage.OutputsAsync()).Values.Single().Absolute;
        var settings = new { expressions = new[] { stage.Expression } };
        (await stage.RebuildAsync(settings, path)).OrThrow();
        var first = await stage.HashOfAsync(path);

        stage.Interpose("case \"$*\" in *' -r '*) echo 'error: the disk broke' >&2; exit 1;; esac");
        var failed = await stage.RebuildAsync(settings, path, "--again");
        var shown = await stage.RebuildAsync(new { }, "--results");
        stage.Interpose("");
        var second = await stage.RebuildAsync(settings, path, "--again", "--json");

        Assert.True(failed.Code is 1, failed.ToString());
        Assert.Matches($"(?s)^failed {path}: error: the disk broke\n  before, [^\n]+Z: built {path}: {first}\n", shown.Output);
        Assert.True(second.Code is 0, second.ToString());
        var record = JsonNode.Parse(second.Output)![0]!;
        Assert.Equal((await stage.HashOfAsync(path), first), (HashOf(record), HashOf(record["before"]!)));
        Assert.Equal(2, Directory.GetFiles(stage.Spool, "*.job").Length);
    }

    [Theory]
    [EachClient]
    public async Task A_full_disk_is_named_and_the_build_succeeds_once_there_is_room(string version)
    {
        var stage = await RebuildStage.MakeAsync(lab, version, "no-space", """[ (mk "large" [ "fill" "40" "0" ]) ]""");
        var path = (await stage.OutputsAsync()).Values.Single().Absolute;

        var run = await stage.RunScriptAsync(new { expressions = new[] { stage.Expression } }, $"""
            mkdir -p {stage.Store} && mount -t tmpfs -o size=32m,mode=0755 tmpfs {stage.Store} || exit 9
            rebuild {path} 2>&1; echo "first $?"
            mount -o remount,size=400m {stage.Store} || exit 9
            rebuild {path} 2>&1; echo "second $?"
            """);

        Assert.True(run.Code is 0, run.ToString());
        Assert.Matches("(?s)No space left on device.*first [12]\n.*built .*second 0\n", run.Output);
        Assert.Single(Directory.GetFiles(stage.Spool, "*.job"));
    }

    [Theory]
    [EachClient]
    public async Task Results_that_a_full_spool_refused_go_there_later_and_are_not_built_again(string version)
    {
        var stage = await RebuildStage.MakeAsync(
            lab, version, "no-spool", """builtins.genList (i: mk "dice-full-${toString i}" [ "random" ]) 6""");
        var paths = (await stage.OutputsAsync()).Values.Select(path => path.Absolute).ToList();
        var kept = $"{stage.Spool}-kept";

        var run = await stage.RunScriptAsync(new { expressions = new[] { stage.Expression } }, $"""
            mkdir -p {stage.Spool} {kept} && mount -t tmpfs -o size=16k,mode=0700 tmpfs {stage.Spool} || exit 9
            rebuild {string.Join(' ', paths)}; echo "first $?"
            mount -o remount,size=10m {stage.Spool} || exit 9
            rebuild {string.Join(' ', paths)}; echo "second $?"
            cp {stage.Spool}/*.info {kept}
            """);

        Assert.True(run.Code is 0, run.ToString());
        Assert.Matches("(?s)first 2\n.*second 0\n", run.Output);
        Assert.Contains("No space left on device", run.Error, StringComparison.Ordinal);
        Assert.All(await stage.ResultsAsync(), result => Assert.Equal(1, result["attempts"]!.GetValue<int>()));
        var published = Directory.GetFiles(kept).Select(file => JsonNode.Parse(File.ReadAllText(file))!.AsArray().Single()!).ToList();
        Assert.Equal(paths.Order(), published.Select(job => job["path"]!.GetValue<string>()).Order());
        foreach (var job in published)
        {
            Assert.True(NixHash.TryParse(job["narHash"]!.GetValue<string>(), out var hash, out _));
            Assert.Equal(await stage.HashOfAsync(job["path"]!.GetValue<string>()), hash.ToString());
        }
    }

    [Fact]
    public async Task A_publisher_that_is_killed_while_it_drains_publishes_each_result_once()
    {
        const int count = 2000;
        var folder = Directory.CreateDirectory(Path.Combine(lab.Directory, $"killed-publisher-{Guid.NewGuid():n}")).FullName;
        var (spool, token) = (Path.Combine(folder, "spool"), Path.Combine(folder, "token"));
        (await Daemon.RunAsync(["keygen", Path.Combine(folder, "key"), "--name", "killed"])).OrThrow();
        var writer = (await Daemon.RunAsync(["keygen", token, "--name", "builder"])).OrThrow().Output.Trim();
        await using var log = await Daemon.StartAsync(["log", "serve"], folder, new
        {
            listen = new[] { "http://127.0.0.1:0" },
            privateListen = new[] { "http://127.0.0.1:0" },
            stateDirectory = folder,
            logs = new[] { new { name = "killed", privateKeyFile = Path.Combine(folder, "key"), writeTokens = new[] { writer } } },
        });
        for (var i = 0; i < count; i++)
        {
            var (output, derivation) = (TestOutput.Make($"killed-{i}"), TestOutput.PathOf($"killed-{i}.drv"));
            Spool.Queue(spool, $"{i}-{derivation.Digest}", derivation, [new DescribedOutput(output.Statement, IsBuiltHere: true, null)]);
        }

        var file = Path.Combine(folder, "publish.json");
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(
            new { log = new { url = log.Urls[1], tokenFile = token, name = "killed" }, spoolDirectory = spool }));
        using var client = new HttpClient();
        async Task<string> SizeAsync() => (await client.GetStringAsync(new Uri($"{log.Urls[1]}/metrics"))).Split('\n')
            .Single(line => line.StartsWith("trustix_log_tree_size{", StringComparison.Ordinal)).Split(' ')[1];
        var kills = 0;
        for (var i = 0; i < 10 && Waiting(spool) > 0; i++)
        {
            var (left, size) = (Waiting(spool), await SizeAsync());
            using var publisher = Process.Start(Executable.Start("publish", "--once", "--config", file))!;
            await Eventually.UntilAsync(async () => publisher.HasExited
                || (i % 2 is 0 ? await SizeAsync() != size : Waiting(spool) < left)); // the log has some, or the spool lacks some
            kills += publisher.HasExited ? 0 : 1;
            publisher.Kill();
            await publisher.WaitForExitAsync();
        }

        var last = (await Daemon.RunAsync(["publish", "--once", "--config", file])).OrThrow();

        Assert.True(kills > 0, last.ToString());
        Assert.Equal((0, $"{count}"), (Waiting(spool), await SizeAsync()));
    }

    private static int Waiting(string spool) => Directory.GetFiles(spool, "*.job").Length;

    private static string HashOf(JsonNode record) => record["outputs"]![0]!["narHash"]!.GetValue<string>();
}
