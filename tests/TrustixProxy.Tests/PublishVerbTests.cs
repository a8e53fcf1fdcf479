using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

public sealed class PublishVerbTests
{
    private const string Derivation = "/nix/store/sbavn929mp29a6b77mva769lbaahf1kw-multi.drv";
    private const string Output = "/nix/store/8wnacvhfnbamkjr2dz49kcrw9071yhjq-multi";

    [Fact]
    public async Task A_publishers_configuration_is_known_for_one_and_all_its_faults_are_shown()
    {
        using var folder = new Folder();
        var token = folder.File("token");
        await Cli.RunAsync(["keygen", token]);
        var good = await CheckAsync(folder, $$"""{ "log": { "url": "http://127.0.0.1:1", "tokenFile": "{{token}}" }, "spoolDirectory": "{{folder.Path}}/spool", "exclude": ["secret-*"] }""");
        var bad = await CheckAsync(folder, """{ "log": { "url": "nowhere", "tokenFile": "/nowhere/token", "nmae": "x" }, "spoolDirectory": "/proc/self", "include": ["a/b"], "exclude": [""], "listen": ["8092"] }""");

        Assert.Equal((0, $"valid for publish: from {folder.Path}/spool to http://127.0.0.1:1/.\n"), (good.Code, good.Output));
        Assert.False(Directory.Exists(folder.File("spool")));
        Assert.Equal(2, bad.Code);
        foreach (
            var expected in new[] { "log.url: is 'nowhere'", "log.tokenFile: is '/nowhere/token'",
            "log.nmae: is not a key of this configuration; 'name' is", "spoolDirectory: is '/proc/self', which is not writable",
            "include: has 'a/b', which matches no name", "exclude: has ''", "listen: has '8092'; an address is" })
        {
            Assert.Contains(expected, bad.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("\"store\": \"/usr/store\"", "store: is '/usr/store'; it must be \"/nix/store\" or \"/gnu/store\"")]
    [InlineData("\"guixState\": \"/var/guix\"",
        "guixState: is '/var/guix', but the builds of /nix/store are published. Set store to '/gnu/store'")]
    [InlineData("\"store\": \"/gnu/store\", \"guixState\": \"/nowhere\"", "guixState: is '/nowhere', whose database cannot be read")]
    public async Task What_cannot_be_published_of_Guix_is_told_with_its_remedy(string keys, string expected)
    {
        using var folder = new Folder();
        var token = folder.File("token");
        await Cli.RunAsync(["keygen", token]);

        var bad = await CheckAsync(folder, $$"""{ "log": { "url": "http://127.0.0.1:1", "tokenFile": "{{token}}" }, "spoolDirectory": "{{folder.Path}}", {{keys}} }""");

        Assert.Equal(2, bad.Code);
        Assert.Contains(expected, bad.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Told_to_stop_it_ends_within_five_seconds_even_while_the_log_says_nothing_and_a_second_one_is_refused()
    {
        using var folder = new Folder();
        using var mute = new TcpListener(IPAddress.Loopback, 0);
        mute.Start();
        var config = await ConfigureAsync(folder, mute.LocalEndpoint!.ToString()!);
        using var process = Process.Start(Executable.Start("publish", "--config", config))!;
        Assert.Matches(@"^publishing from \S+ to \S+; metrics at http://127\.0\.0\.1:\d+$", await process.StandardError.ReadLineAsync());
        var second = await Cli.RunAsync(["publish", "--once", "--config", config]);
        using var connection = await mute.AcceptTcpClientAsync();

        var timer = Stopwatch.StartNew();
        using var stop = Process.Start("kill", ["-TERM", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await process.WaitForExitAsync();

        Assert.Equal(0, process.ExitCode);
        Assert.True(timer.Elapsed < TimeSpan.FromSeconds(5), $"{timer.Elapsed}");
        Assert.True(File.Exists(folder.File("spool/1.job")));
        Assert.Equal(2, second.Code);
        Assert.Contains("which another trustix-proxy publish uses", second.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Derivation, Output, "")]
    [InlineData(Derivation, Output, "--nonsense")]
    [InlineData("", Output, "DRV_PATH")]
    [InlineData("/etc/passwd", Output, "DRV_PATH '/etc/passwd'")]
    [InlineData(Derivation, "/etc/passwd", "OUT_PATHS '/etc/passwd'")]
    [InlineData(Derivation, Output + "\n/x", "OUT_PATHS")]
    public async Task The_hook_never_fails(string derivation, string outputs, string expected)
    {
        using var folder = new Folder();
        Directory.CreateDirectory(folder.File("spool"));
        string[] option = expected.StartsWith('-') ? [expected] : [];

        var (code, _, error) = await Cli.RunAsync(["hook", "--spool", folder.File("spool"), .. option],
            new() { ["DRV_PATH"] = derivation, ["OUT_PATHS"] = outputs, ["NIX_STATE_DIR"] = folder.Path });

        Assert.Equal(0, code);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.Equal(expected.Length is 0 ? 1 : 0, Directory.GetFiles(folder.File("spool"), "*.job").Length);
    }

    [Theory]
    [InlineData("sh")]
    [InlineData("dash")]
    [InlineData("bash")]
    [InlineData("busybox")]
    public async Task The_script_is_short_and_says_the_same_in_every_shell(string shell)
    {
        var script = Path.Combine(Repository.Root, "nix/post-build-hook");
        Assert.InRange(File.ReadAllLines(script).Length, 1, 30);
        if (shell is not "sh"
            && !Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(folder => File.Exists(Path.Combine(folder, shell))))
        {
            return; // not every machine has it
        }

        using var folder = new Folder();
        Directory.CreateDirectory(folder.File("spool"));
        foreach (var (derivation, outputs, expected) in new[]
        {
            ("", Output, "DRV_PATH names nothing in /nix/store"), ("/etc/passwd", Output, "DRV_PATH names nothing in /nix/store"),
                (Derivation, "--option", "no store path"),
            (Derivation, $"{Output} $(touch x)", "no store path"), ($"{Derivation}\n/x", Output, "no store path"),
                (Derivation, $"{Output} *", "no store path"), (Derivation, Output, ""),
        })
        {
            var result = await RunAsync(shell, script, folder.File("spool"), derivation, outputs);

            Assert.Equal((0, ""), (result.Code, result.Output));
            Assert.Contains(expected, result.Error, StringComparison.Ordinal);
            Assert.Equal(expected.Length is 0 ? 0 : 1, result.Error.Count(character => character is '\n'));
        }

        for (var i = 0; i < 20 && Directory.GetFiles(folder.File("spool"), "*.info").Length is 0; i++)
        {
            await Task.Delay(100); // the background process has yet to end
        }

        Assert.Equal($"{Derivation}\n{Output}\n", File.ReadAllText(Assert.Single(Directory.GetFiles(folder.File("spool"), "*.job"))));
    }

    private static Task<(int Code, string Output, string Error)> CheckAsync(Folder folder, string json) =>
        Cli.RunAsync(["check-config", "--config", folder.File("config.json", json)]);

    private static async Task<string> ConfigureAsync(Folder folder, string address)
    {
        var token = folder.File("token");
        await Cli.RunAsync(["keygen", token]);
        Directory.CreateDirectory(folder.File("spool"));
        folder.File("spool/1.info", $$"""[{"path":"{{Output}}","narHash":"sha256-KxyTmX8eVbV2TilY5WwpvYb+mmXW1tkrFKJVPVNlV5U=","narSize":120,"references":[]}]""");
        folder.File("spool/1.job", $"{Derivation}\n{Output}\n");
        return folder.File("c.json", $$"""{ "log": { "url": "http://{{address}}", "tokenFile": "{{token}}" }, "spoolDirectory": "{{folder.Path}}/spool", "listen": ["http://127.0.0.1:0"] }""");
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(
        string shell, string script, string spool, string derivation, string outputs)
    {
        string[] arguments = shell is "busybox" ? ["sh", script] : [script];
        var start = new ProcessStartInfo(shell, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (
            name, value) in new[] { ("DRV_PATH", derivation), ("OUT_PATHS", outputs), ("TRUSTIX_SPOOL", spool), ("NIX_STATE_DIR", spool) })
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
