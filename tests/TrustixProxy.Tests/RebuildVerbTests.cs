using System.Text.Json;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

public sealed class RebuildVerbTests
{
    private const string Path = "/nix/store/8wnacvhfnbamkjr2dz49kcrw9071yhjq-hello";

    [Fact]
    public async Task A_rebuilders_configuration_is_known_for_one_and_all_its_faults_are_shown()
    {
        using var folder = new Folder();
        var good = await CheckAsync(folder, $$"""
            { "rebuilder": { "store": "{{folder.Path}}/own", "spoolDirectory": "{{folder.Path}}/spool",
              "wanted": ["http://127.0.0.1:8081"] } }
            """);
        var bad = await CheckAsync(folder, """
            { "rebuilder": { "wanted": ["nowhere"], "substituter": "x", "inputs": "cache", "disk": "much", "publicKeys": ["x"], "jbos": 1,
              "include": ["a/b"], "time": "00:00:00" } }
            """);

        Assert.Equal((0, $"valid for rebuild: in {folder.Path}/own, results to {folder.Path}/spool.\n"), (good.Code, good.Output));
        Assert.False(Directory.Exists(folder.File("own")));
        Assert.Equal(2, bad.Code);
        foreach (var expected in new[] { "rebuilder.wanted: has 'nowhere'", "rebuilder.substituter: is 'x'", "rebuilder.inputs: is 'cache'",
            "rebuilder.disk: is 'much'", "rebuilder.publicKeys: has 'x'", "rebuilder.jbos: is not a key", "rebuilder.include: has 'a/b'",
            "rebuilder.time: is '00:00:00'" })
        {
            Assert.Contains(expected, bad.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Without_paths_and_lists_and_with_something_else_it_says_what_to_give()
    {
        using var folder = new Folder();
        var config = Config(folder);

        var nothing = await Cli.RunAsync(["rebuild", "--config", config]);
        var other = await Cli.RunAsync(["rebuild", "--config", config, "hello", "", folder.File("x.drv", "Derive(")]);
        var guix = await Cli.RunAsync(["rebuild", "--config", config, Path.Replace("nix", "gnu", StringComparison.Ordinal)]);

        Assert.Equal((2, 2, 2), (nothing.Code, other.Code, guix.Code));
        Assert.Contains("is in /gnu/store; rebuild builds with Nix", guix.Error, StringComparison.Ordinal);
        Assert.Contains("'guix build --no-substitutes --check PACKAGE' builds again", guix.Error, StringComparison.Ordinal);
        Assert.Contains("'' is neither a store path nor a derivation", other.Error, StringComparison.Ordinal);
        Assert.Contains("rebuilder.wanted", nothing.Error, StringComparison.Ordinal);
        Assert.Contains("'hello' is neither a store path nor a derivation", other.Error, StringComparison.Ordinal);
        Assert.Contains("is not a derivation that can be rebuilt (Syntax)", other.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_no_sandbox_can_be_had_it_refuses_with_the_remedy_and_records_nothing()
    {
        using var folder = new Folder();
        var bin = Directory.CreateDirectory(folder.File("bin")).FullName;
        RunnableFile.WriteScript(
            System.IO.Path.Combine(bin, "nix-build"), "echo 'error: this system does not support the kernel namespaces' >&2\nexit 1");

        var run = await Cli.RunAsync(["rebuild", "--config", Config(folder), Path],
            new() { ["PATH"] = $"{bin}:{Environment.GetEnvironmentVariable("PATH")}" });

        Assert.Equal(3, run.Code);
        Assert.Contains("no sandbox can be had here: error: this system does not support the kernel namespaces", run.Error,
            StringComparison.Ordinal);
        Assert.Contains("nixbld", run.Error, StringComparison.Ordinal);
        Assert.Contains("user.max_user_namespaces", run.Error, StringComparison.Ordinal);
        Assert.Equal("[]\n", (await Cli.RunAsync(["rebuild", "--config", Config(folder), "--results", "--json"])).Output);
    }

    [Fact]
    public async Task On_a_terminal_it_shows_the_builds_under_way_and_elsewhere_one_line_a_build()
    {
        using var folder = new Folder();
        var bin = Directory.CreateDirectory(folder.File("bin")).FullName;
        foreach (var (program, code) in new[] { ("nix-build", 0), ("nix-store", 1), ("nix", 1) }) // nobody has the derivation
        {
            RunnableFile.WriteScript(System.IO.Path.Combine(bin, program), $"exit {code}");
        }

        var environment = new Dictionary<string, string>
        {
            ["PATH"] = $"{bin}:{Environment.GetEnvironmentVariable("PATH")}",
            ["TERM"] = "xterm",
        };
        string[] rebuild = ["rebuild", "--config", Config(folder), Path];

        var terminal = await Cli.RunOnTerminalAsync(rebuild, environment);
        var plain = await Cli.RunAsync([.. rebuild, "--again"], environment);

        Assert.Contains("\r\e[K0 of 1 builds done; building hello 00:00:00\r\e[Kfailed /nix/store/", terminal, StringComparison.Ordinal);
        Assert.EndsWith("\r\e[K1 of 1 builds done, 1 failed\r\e[K", terminal, StringComparison.Ordinal);
        Assert.Equal((1, ""), (plain.Code, plain.Error));
        Assert.StartsWith($"failed {Path}: no derivation", plain.Output, StringComparison.Ordinal);
        Assert.Single(plain.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task Once_over_a_list_that_cannot_be_read_is_exit_code_3()
    {
        using var folder = new Folder();
        RunnableFile.WriteScript(folder.File("bin/nix-build"), "");

        var run = await Cli.RunAsync(["rebuild", "--once", "--config", Config(folder)], new()
        {
            ["PATH"] = $"{folder.File("bin")}:{Environment.GetEnvironmentVariable("PATH")}",
            ["TRUSTIXPROXY__REBUILDER__WANTED__0"] = "http://127.0.0.1:1",
        });

        Assert.True(run.Code is 3, run.Output + run.Error);
        Assert.Contains("http://127.0.0.1:1/: ", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_that_claims_much_gets_no_more_than_its_share_of_the_work()
    {
        using var folder = new Folder();
        var bin = Directory.CreateDirectory(folder.File("bin")).FullName;
        foreach (var (program, code) in new[] { ("nix-build", 0), ("nix-store", 1), ("nix", 1) }) // nobody has the derivations
        {
            RunnableFile.WriteScript(System.IO.Path.Combine(bin, program), $"exit {code}");
        }

        var (lies, truths) = (Enumerable.Range(0, 60).Select(i => TestOutput.PathOf($"lie-{i}").Absolute).ToList(),
            Enumerable.Range(0, 20).Select(i => TestOutput.PathOf($"true-{i}").Absolute).ToList());
        await using var liar = await ListServer.StartAsync(lies.Select(path => (path, int.MaxValue)));
        await using var honest = await ListServer.StartAsync(truths.Select(path => (path, 1)));

        var run = await Cli.RunAsync(["rebuild", "--once", "--config", Config(folder)], new()
        {
            ["PATH"] = $"{bin}:{Environment.GetEnvironmentVariable("PATH")}",
            ["TRUSTIXPROXY__REBUILDER__WANTED__0"] = liar.Url.ToString(),
            ["TRUSTIXPROXY__REBUILDER__WANTED__1"] = honest.Url.ToString(),
        });

        var begun = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[1].TrimEnd(':')).ToList();
        Assert.Equal(lies.Concat(truths).Order(), begun.Order());
        Assert.All(begun.Take(40).Chunk(2), pair => Assert.Single(pair, truths.Contains));
    }

    private sealed class ListServer(byte[] list) : FakeServer
    {
        public static async Task<ListServer> StartAsync(IEnumerable<(string Path, int Claim)> wanted)
        {
            var server = new ListServer(JsonSerializer.SerializeToUtf8Bytes(
                new { wanted = wanted.Select(item => new { storePath = item.Path, requests = item.Claim, roots = item.Claim }) }));
            await server.ListenAsync();
            return server;
        }

        protected override Task AnswerAsync(HttpContext context) => context.Response.Body.WriteAsync(list).AsTask();
    }

    private static string Config(Folder folder) => folder.File($"{Guid.NewGuid():n}.json", JsonSerializer.Serialize(
        new { rebuilder = new { store = folder.File("own"), spoolDirectory = folder.File("spool") } }));

    private static async Task<(int Code, string Output, string Error)> CheckAsync(Folder folder, string text) =>
        await Cli.RunAsync(["check-config", "--config", folder.File("config.json", text)]);
}
