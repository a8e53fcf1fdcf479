using TrustixProxy.Nix;
using TrustixProxy.Setup;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary><c>install</c> and <c>uninstall</c> where something is there already: an earlier program, halves of one, what somebody else
/// made, and configurations that a unit reads otherwise than a shell.</summary>
public sealed class InstallTwiceTests
{
    private const string Program = "usr/local/lib/trustix-proxy", Link = "usr/local/bin/trustix-proxy",
        Unit = "etc/systemd/system/trustix-proxy.service";

    [Fact]
    public async Task A_program_that_is_there_is_left_and_another_one_takes_its_place()
    {
        using var folder = new Folder();
        var config = await InitAsync(folder, "watch");
        await RunAsync(folder, "install", "--config", config);

        var second = await RunAsync(folder, "install", "--config", config);
        await File.AppendAllTextAsync(At(folder, $"{Program}/trustix-proxy"), "older");
        Half(folder);
        var third = await RunAsync(folder, "install", "--config", config);
        Half(folder);
        var gone = await RunAsync(folder, "uninstall");
        var again = await RunAsync(folder, "uninstall");

        Assert.Contains($"unchanged {At(folder, Program)}\n", second, StringComparison.Ordinal);
        Assert.DoesNotContain("wrote ", second, StringComparison.Ordinal);
        Assert.Contains($"copied the program to {At(folder, Program)}\n", third, StringComparison.Ordinal);
        Assert.Contains($"removed {At(folder, Program)}.new\n", gone, StringComparison.Ordinal);
        Assert.DoesNotContain("removed ", again, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(At(folder, "usr/local/lib")));
        Assert.Empty(Directory.GetFileSystemEntries(At(folder, "usr/local/bin")));

        // as one that was killed leaves it
        static void Half(Folder folder)
        {
            Write(folder, $"{Program}.new/trustix-proxy", "half");
            Write(folder, $"{Program}.old/trustix-proxy", "old");
        }
    }

    [Fact]
    public async Task What_somebody_else_put_there_is_neither_written_over_nor_taken_away()
    {
        using var folder = new Folder();
        var config = await InitAsync(folder, "watch");
        Write(folder, $"{Program}/trustix-proxy", "theirs");
        Write(folder, Link, "theirs");
        Write(folder, "etc/systemd/system/trustix-log.service", "[Service]\nExecStart=/bin/true\n");
        foreach (var file in new[] { "trustix-log.json", "log.key", "log-b.key" })
        {
            Write(folder, $"etc/trustix-proxy/{file}", "theirs");
        }

        Write(folder, "var/lib/trustix-log/state.sqlite", "theirs");

        var refused = await Cli.RunAsync(["install", "--root", folder.File("root"), "--config", config]);
        var installed = await RunAsync(folder, "install", "--config", config, "--program", "/usr/local/bin/trustix-proxy");
        var purged = await RunAsync(folder, "uninstall", "--purge");

        Assert.Equal(2, refused.Code);
        Assert.Contains($"{At(folder, Program)} is there, and trustix-proxy install has not made it", refused.Error,
            StringComparison.Ordinal);
        Assert.Contains($"wrote {At(folder, Unit)}\n", installed, StringComparison.Ordinal);
        Assert.Contains($"left {At(folder, Program)}, which trustix-proxy install has not made\n", purged, StringComparison.Ordinal);
        Assert.Equal(["etc/systemd/system/trustix-log.service", "etc/trustix-proxy/log-b.key", "etc/trustix-proxy/log.key",
            "etc/trustix-proxy/trustix-log.json", Link, $"{Program}/trustix-proxy", "var/lib/trustix-log/state.sqlite"],
            Directory.EnumerateFiles(folder.File("root"), "*", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(folder.File("root"), file))
                .Where(file => file.Contains("trustix", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_configuration_of_somebody_elses_unit_is_not_set_aside()
    {
        using var folder = new Folder();
        Write(folder, Unit, "[Service]\nExecStart=/bin/true\n");
        Write(folder, "etc/trustix-proxy/trustix-proxy.json", "{}");
        Write(folder, "etc/trustix-proxy/trustix-log.json", "{}");

        await RunAsync(folder, "uninstall");

        Assert.True(File.Exists(At(folder, "etc/trustix-proxy/trustix-proxy.json")));
        Assert.True(File.Exists(At(folder, "etc/trustix-proxy/trustix-log.json.saved")));
    }

    /// <summary>A service that runs does not notice another program by itself.</summary>
    [Theory]
    [InlineData(true, false, "daemon-reload", "enable --now trustix-log")]
    [InlineData(true, true, "daemon-reload", "enable trustix-log", "restart trustix-log")]
    [InlineData(false, true, "daemon-reload", "enable trustix-log")]
    public void Systemd_starts_anew_what_has_changed(bool starts, bool isChanged, params string[] expected) =>
        Assert.Equal(expected, Installation.Starting("trustix-log", starts, isChanged).Select(words => string.Join(' ', words)));

    [Fact]
    public async Task A_unit_may_write_where_its_configuration_says()
    {
        using var folder = new Folder();
        await InitAsync(folder, "watch");
        var config = folder.File("made/trustix-proxy.json", $$"""
            { "listen": ["http://127.0.0.1:8080", "unix:/run/trustix/proxy.sock", "unix:/srv/sockets/proxy.sock"],
              "signingKeyFile": "{{folder.File("made/signing.key")}}", "stateDirectory": "/srv/trustix/state",
              "narStore": { "directory": "/srv/trustix/nars", "maxSize": "1GiB" },
              "upstreams": [{ "name": "main", "url": "https://main.example" }] }
            """);

        var said = await RunAsync(folder, "install", "--config", config, "--program", "/bin/true");
        var lines = await File.ReadAllLinesAsync(At(folder, Unit));

        foreach (var line in new[] { "ReadWritePaths=/srv/trustix/state", "ReadWritePaths=/srv/trustix/nars",
            "ReadWritePaths=/srv/sockets", "RuntimeDirectory=trustix", "RuntimeDirectoryMode=0755" })
        {
            Assert.Contains(line, lines);
        }

        foreach (var made in new[] { "/srv/trustix/state", "/srv/trustix/nars", "/srv/sockets" })
        {
            Assert.Contains($"install -d -o trustix-proxy -g trustix-proxy -m 700 {made}\n", said, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("clients.basicFile: is 'clients', which a service would look for in /: write the whole path, '",
        """{ "clients": { "basicFile": "clients" } }""")]
    [InlineData("--config: names '/srv/a b', which a unit cannot", """{ "stateDirectory": "/srv/a b" }""")]
    [InlineData("--config: names '/srv/%h', which a unit cannot", """{ "narStore": { "directory": "/srv/%h", "maxSize": "1GiB" } }""")]
    public async Task What_only_a_shell_takes_is_refused_before_anything_is_written(string expected, string json)
    {
        using var folder = new Folder();
        folder.File("clients", "alice:secret\n");
        File.SetUnixFileMode(folder.File("clients"), UnixFileMode.UserRead);

        var (code, _, error) = await Cli.RunInAsync(folder.Path, ["install", "--root", folder.File("root"), "--config",
            folder.File("proxy.json", json), "--program", "/bin/true"], []);
        var relative = await Cli.RunAsync(["install", "--root", folder.File("root"), "--program", "bin/true"]);

        Assert.Equal((2, 2), (code, relative.Code));
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.Contains("--program: is 'bin/true', which a unit cannot start", relative.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("root")));
    }

    private static string At(Folder folder, string path) => Path.Combine(folder.File("root"), path);

    private static void Write(Folder folder, string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(folder, path))!);
        File.WriteAllText(At(folder, path), text);
    }

    /// <returns>The configuration of <c>serve</c>.</returns>
    private static async Task<string> InitAsync(Folder folder, string preset)
    {
        var (code, _, error) = await Cli.RunAsync(
            ["init", "--preset", preset, "--offline", "--port", "8080", "--directory", folder.File("made")]);
        Assert.True(code is 0, error);
        return folder.File("made/trustix-proxy.json");
    }

    private static async Task<string> RunAsync(Folder folder, string verb, params string[] more)
    {
        var (code, output, error) = await Cli.RunAsync([verb, "--root", folder.File("root"), .. more]);
        Assert.True(code is 0, error);
        return output;
    }
}
