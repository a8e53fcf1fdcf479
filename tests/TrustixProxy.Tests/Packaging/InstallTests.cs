using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using TrustixProxy.IO.Programs;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary><c>install</c> makes a service of what <c>init</c> wrote, in a folder that stands for a machine; <c>uninstall</c> takes it
/// away.</summary>
public sealed partial class InstallTests
{
    [Fact]
    public async Task A_service_is_made_of_what_init_wrote_and_a_second_time_changes_nothing()
    {
        using var folder = new Folder();
        var config = await InitAsync(folder, "watch");

        var first = await InstallAsync(folder, config);
        var second = await InstallAsync(folder, config);

        Assert.True(first.Code is 0 && second.Code is 0, first.Error + second.Error);
        Assert.Equal(File.ReadAllText(config), File.ReadAllText(At(folder, "etc/trustix-proxy/trustix-proxy.json")));
        var key = At(folder, "etc/trustix-proxy/signing.key");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(key));
        Assert.True(NixSecretKey.TryParse(File.ReadAllText(key).Trim(), out var made, out _));
        Assert.Contains($"  substituters = http://127.0.0.1:8080\n  trusted-public-keys = {made.PublicKey}\n", first.Output,
            StringComparison.Ordinal);
        foreach (var file in new[] { "etc/systemd/system/trustix-proxy.service", "etc/sysusers.d/trustix-proxy.conf",
            "usr/local/share/man/man1/trustix-proxy.1", "usr/local/share/bash-completion/completions/trustix-proxy",
            "usr/local/share/zsh/site-functions/_trustix-proxy", "usr/local/share/fish/vendor_completions.d/trustix-proxy.fish" })
        {
            Assert.Contains($"wrote {At(folder, file)}\n", first.Output, StringComparison.Ordinal);
            Assert.Contains($"unchanged {At(folder, file)}\n", second.Output, StringComparison.Ordinal);
            Assert.True((File.GetUnixFileMode(At(folder, file)) & UnixFileMode.OtherRead) is not 0, file);
        }

        Assert.DoesNotContain("wrote ", second.Output, StringComparison.Ordinal);
        if (first.Output.Contains("ran systemd-sysusers", StringComparison.Ordinal)) // as root
        {
            Assert.Contains(
                File.ReadAllLines(At(folder, "etc/passwd")), line => line.StartsWith("trustix-proxy:", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("watch", "trustix-proxy.json", "trustix-proxy")]
    [InlineData("builder", "trustix-log.json", "trustix-log")]
    [InlineData("builder", "trustix-publish.json", "trustix-publisher")]
    public async Task A_unit_may_do_no_more_than_the_modules_unit(string preset, string file, string unit)
    {
        using var folder = new Folder();
        await InitAsync(folder, preset);
        var installed = await InstallAsync(folder, folder.File($"made/{file}"));

        Assert.True(installed.Code is 0, installed.Error);
        var lines = UnitOf(folder, unit);
        foreach (var setting in (await Command.EvaluateAsync("import (root + \"/nix/modules/hardening.nix\")")).EnumerateObject())
        {
            var values = setting.Value.ValueKind is not JsonValueKind.Array ? [Text(setting.Value)]
                : setting.Name is "SystemCallFilter" ? setting.Value.EnumerateArray().Select(Text).ToList()
                : [string.Join(' ', setting.Value.EnumerateArray().Select(Text))];
            Assert.All(values, value => Assert.Contains($"{setting.Name}={value}", lines));
        }

        static string Text(JsonElement value) => value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? $"{value}".ToLowerInvariant() : $"{value}";
    }

    /// <summary>The exposure is systemd's own measure, from 0 to 10: what a unit could do if its program were taken over.</summary>
    [SystemdTheory]
    [InlineData("watch", "trustix-proxy.json", "trustix-proxy", 1.6)]
    [InlineData("builder", "trustix-log.json", "trustix-log", 1.6)]
    [InlineData("builder", "trustix-publish.json", "trustix-publisher", 2.6)]
    public async Task Systemd_knows_all_that_a_unit_says_and_finds_it_little_exposed(
        string preset, string file, string unit, double exposure)
    {
        using var folder = new Folder();
        await InitAsync(folder, preset);
        await InstallAsync(folder, folder.File($"made/{file}"));
        var path = At(folder, $"etc/systemd/system/{unit}.service");

        var (_, faults) = await RunAsync("systemd-analyze", "verify", "--man=no", path);
        var (_, security) = await RunAsync("systemd-analyze", "security", "--no-pager", "--offline=true", path);

        Assert.DoesNotContain(unit, faults, StringComparison.Ordinal);
        var found = Exposure.Match(security);
        Assert.True(found.Success, security);
        Assert.InRange(double.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture), 0, exposure);
    }

    [Fact]
    public async Task The_service_serves_with_what_its_unit_says()
    {
        using var folder = new Folder();
        await InstallAsync(folder, await InitAsync(folder, "watch"));
        var lines = UnitOf(folder, "trustix-proxy");
        var credentials = Directory.CreateDirectory(folder.File("credentials")).FullName;
        foreach (var credential in Values(lines, "LoadCredential").Select(value => value.Split(':')))
        {
            File.Copy(At(folder, credential[1]), Path.Combine(credentials, credential[0]));
        }

        var words = Values(lines, "ExecStart").Single().Split(' ');
        var start = Executable.Start([.. words[1..^1], At(folder, words[^1])]);
        foreach (var variable in Values(lines, "Environment").Select(value => value.Split('=', 2)))
        {
            start.Environment[variable[0]] = variable[1].Replace("%d", credentials, StringComparison.Ordinal);
        }

        start.Environment["CREDENTIALS_DIRECTORY"] = credentials;
        start.Environment["TRUSTIXPROXY__STATEDIRECTORY"] = folder.File("state");
        start.Environment["TRUSTIXPROXY__LISTEN__0"] = start.Environment["TRUSTIXPROXY__OPERATIONS__LISTEN__0"] = "http://127.0.0.1:0";
        using var process = Process.Start(start)!;
        var said = new List<string>();
        while (await process.StandardError.ReadLineAsync() is { } line && !line.StartsWith("serving at ", StringComparison.Ordinal))
        {
            said.Add(line);
        }

        var isServing = !process.HasExited;
        process.Kill();
        await process.WaitForExitAsync();

        Assert.True(isServing, string.Join('\n', said));
        Assert.True(NixSecretKey.TryParse(File.ReadAllText(folder.File("made/signing.key")).Trim(), out var key, out _));
        Assert.Contains($"clients trust: trusted-public-keys = {key.PublicKey}", said);
        Assert.Equal(["TRUSTIXPROXY__SIGNINGKEYFILE=%d/signing.key", "TRUSTIXPROXY__STATEDIRECTORY=/var/lib/trustix-proxy"],
            Values(lines, "Environment").Where(value => value.StartsWith("TRUSTIXPROXY", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task The_program_is_put_where_a_unit_sees_it_and_runs_there()
    {
        using var folder = new Folder();
        var config = await InitAsync(folder, "watch");

        var (code, output, error) = await Cli.RunAsync(["install", "--root", folder.File("root"), "--config", config]);

        Assert.True(code is 0, error);
        Assert.Contains($"copied the program to {At(folder, "usr/local/lib/trustix-proxy")}\n", output, StringComparison.Ordinal);
        Assert.Equal("../lib/trustix-proxy/trustix-proxy", new FileInfo(At(folder, "usr/local/bin/trustix-proxy")).LinkTarget);
        var lines = UnitOf(folder, "trustix-proxy");
        Assert.StartsWith("/usr/local/lib/trustix-proxy/trustix-proxy serve ", Values(lines, "ExecStart").Single(),
            StringComparison.Ordinal);
        var runtime = Values(lines, "Environment").Where(value => value.StartsWith("DOTNET_ROOT=", StringComparison.Ordinal))
            .Select(value => value.Split('=')[1]).ToDictionary(_ => "DOTNET_ROOT");
        var man = await Command.RunAsync(At(folder, "usr/local/bin/trustix-proxy"), ["man"], runtime);
        Assert.Equal(File.ReadAllText(At(folder, "usr/local/share/man/man1/trustix-proxy.1")), man);
    }

    [Fact]
    public async Task Uninstall_takes_it_away_and_keeps_keys_and_state_unless_it_purges()
    {
        using var folder = new Folder();
        var config = await InitAsync(folder, "watch");
        await InstallAsync(folder, config);
        Directory.CreateDirectory(At(folder, "var/lib/trustix-proxy"));
        await File.WriteAllTextAsync(At(folder, "var/lib/trustix-proxy/state.sqlite"), "state");
        await File.WriteAllTextAsync(At(folder, "etc/systemd/system/trustix-log.service"), "[Service]\nExecStart=/bin/true\n");

        var gone = await UninstallAsync(folder);
        var left = Directory.EnumerateFiles(folder.File("root"), "*", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(folder.File("root"), file))
            .Where(file => file.Contains("trustix", StringComparison.Ordinal)).Order().ToList();
        await InstallAsync(folder, config);
        var purged = await UninstallAsync(folder, "--purge");

        Assert.Equal(["etc/systemd/system/trustix-log.service", "etc/trustix-proxy/signing.key",
            "etc/trustix-proxy/trustix-proxy.json.saved", "var/lib/trustix-proxy/state.sqlite"], left);
        Assert.Contains($"left {At(folder, "etc/systemd/system/trustix-log.service")}, which trustix-proxy install did not write\n", gone,
            StringComparison.Ordinal);
        Assert.Contains("Nix and Guix still ask the proxy and believe its key", gone, StringComparison.Ordinal);
        Assert.Contains($"removed {At(folder, "var/lib/trustix-proxy")}\n", purged, StringComparison.Ordinal);
        Assert.False(Directory.Exists(At(folder, "etc/trustix-proxy")));
        Assert.True(File.Exists(At(folder, "etc/systemd/system/trustix-log.service")));
    }

    [Fact]
    public async Task What_cannot_be_installed_is_refused_with_its_remedy_and_leaves_nothing()
    {
        using var folder = new Folder();
        var config = await InitAsync(folder, "watch");
        Directory.CreateDirectory(folder.File("nixos/etc"));
        folder.File("nixos/etc/NIXOS", "");
        var faulty = folder.File("faulty.json", """{ "policy": { "quorum": 4 } }""");
        var rebuilder = folder.File("rebuilder.json", """{ "rebuilder": { "jobs": 1 } }""");
        Directory.CreateDirectory(folder.File("other/etc/trustix-proxy"));
        folder.File("other/etc/trustix-proxy/signing.key", NixSecretKey.Generate("other-1").Export());

        foreach (var (root, file, expected) in new[]
        {
            ("nixos", config, "is NixOS, whose configuration makes units and users: set services.trustix-proxy.enable"),
            ("empty", faulty, "policy.quorum: is 4; it must be from 1 to 0"),
            ("empty", rebuilder, "a rebuilder's, which needs Nix and a store of its own"),
            ("empty", folder.File("none.json"), "--config: is '"),
            ("other", config, "already holds another key than "),
        })
        {
            var (code, _, error) = await Cli.RunAsync(
                ["install", "--root", folder.File(root), "--config", file, "--program", "/bin/true"]);

            Assert.Equal(2, code);
            Assert.Contains(expected, error, StringComparison.Ordinal);
            Assert.False(File.Exists(folder.File($"{root}/etc/systemd/system/trustix-proxy.service")), root);
        }
    }

    private static string At(Folder folder, string path) => Path.Combine(folder.File("root"), path.TrimStart('/'));

    private static string[] UnitOf(Folder folder, string unit) => File.ReadAllLines(At(folder, $"etc/systemd/system/{unit}.service"));

    private static IEnumerable<string> Values(string[] lines, string setting) =>
        lines.Where(line => line.StartsWith($"{setting}=", StringComparison.Ordinal)).Select(line => line[(setting.Length + 1)..]);

    /// <returns>The configuration of <c>serve</c>.</returns>
    private static async Task<string> InitAsync(Folder folder, string preset)
    {
        string[] port = preset is "builder" ? [] : ["--port", "8080"];
        var (code, _, error) = await Cli.RunAsync(
            ["init", "--preset", preset, "--name", "alice", "--offline", .. port, "--directory", folder.File("made")]);
        Assert.True(code is 0, error);
        return folder.File("made/trustix-proxy.json");
    }

    private static Task<(int Code, string Output, string Error)> InstallAsync(Folder folder, string config) =>
        Cli.RunAsync(["install", "--root", folder.File("root"), "--config", config, "--program", "/bin/true"]);

    private static async Task<string> UninstallAsync(Folder folder, params string[] more)
    {
        var (code, output, error) = await Cli.RunAsync(["uninstall", "--root", folder.File("root"), .. more]);
        Assert.True(code is 0, error);
        return output;
    }

    private static async Task<(int Code, string Said)> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(
            ProgramStart.Find(program, Environment.GetEnvironmentVariable("PATH"))!, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await error);
    }

    [GeneratedRegex(@"Overall exposure level for [^:]+: ([0-9.]+)")]
    private static partial Regex Exposure { get; }
}
