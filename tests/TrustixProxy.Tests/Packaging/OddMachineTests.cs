using System.Text.Json;
using TrustixProxy.Configuration;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

/// <summary>Machines that are unlike others: their names, folders, disks. What is set up there works, or the message says what to
/// do.</summary>
public sealed class OddMachineTests
{
    [Theory]
    [InlineData("Host-1", "host-1")]
    [InlineData("my_host", "my_host")]
    [InlineData("münchen", "m-nchen")]
    [InlineData("東京", "machine")]
    [InlineData("a b:c", "a-b-c")]
    [InlineData("(none)", "none")]
    [InlineData("", "machine")]
    public void Any_name_of_a_machine_makes_a_name_of_a_key(string name, string expected)
    {
        Assert.Equal(expected, HostName.Of(name));
        Assert.Equal($"{expected}-trustix-1", NixSecretKey.Generate($"{HostName.Of(name)}-trustix-1").PublicKey.Name);
    }

    [NamespaceFact]
    public async Task A_machine_whose_name_is_no_address_gets_keys_and_is_asked_for_one()
    {
        using var folder = new Folder();

        var proxy = await Cli.RunNamedAsync("münchen", "init", "--preset", "watch", "--offline", "--directory", folder.File("proxy"));
        var keygen = await Cli.RunNamedAsync("münchen", "keygen", folder.File("other.key"));
        var builder = await Cli.RunNamedAsync("münchen", "init", "--preset", "builder", "--directory", folder.File("builder"));
        var named = await Cli.RunNamedAsync("münchen", "init", "--preset", "builder", "--directory", folder.File("builder"),
            "--url", "http://log.example:8090");

        Assert.True(proxy.Code is 0, proxy.Error);
        Assert.Contains("trusted-public-keys = m-nchen-trustix-1:", proxy.Output, StringComparison.Ordinal);
        Assert.StartsWith("m-nchen-trustix-1:", keygen.Output, StringComparison.Ordinal);
        Assert.Equal(2, builder.Code);
        Assert.Contains("--url: is missing, and this machine's name, 'münchen', is no address for others: --url http://HOST:8090",
            builder.Error, StringComparison.Ordinal);
        Assert.Contains("others add: m-nchen,http://log.example:8090,", named.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_printed_to_be_copied_works_in_any_folder()
    {
        using var folder = new Folder();
        var odd = folder.File("it's \"${my}\" folder");

        var (code, output, error) = await Cli.RunAsync(
            ["init", "--preset", "watch", "--offline", "--port", "8080", "--directory", odd]);
        var command = output.Split('\n').Single(line => line.Contains("serve --config", StringComparison.Ordinal)).Trim();
        var checkedThere = await Command.RunAsync("sh",
            ["-c", command.Replace(" serve ", " check-config ", StringComparison.Ordinal)],
            new() { ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.Path });
        var line = output.Split('\n').Single(line => line.Contains("signingKeyFile = ", StringComparison.Ordinal));
        var path = await Command.EvaluateAsync(line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..].TrimEnd(';'));

        Assert.True(code is 0, error);
        Assert.NotEqual("", checkedThere);
        Assert.Equal(Path.Combine(odd, "signing.key"), path.GetString());
    }

    [Theory]
    [InlineData("demo: no folder can be made in /nowhere/", 2, "demo")]
    [InlineData("not tried whether anybody answers: no folder can be made in /nowhere/", 0, "init", "--preset", "watch", "--directory")]
    public async Task Without_room_for_temporary_files_the_remedy_is_named(string expected, int code, params string[] arguments)
    {
        using var folder = new Folder();

        var (ended, _, error) = await Cli.RunAsync(
            arguments is ["demo"] ? arguments : [.. arguments, folder.File("made")], new() { ["TMPDIR"] = "/nowhere" });

        Assert.Equal(code, ended);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.Contains("Set TMPDIR to one that can be written to.", error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    /// <summary>A key that is cut short would be refused at each later start.</summary>
    [Fact]
    public async Task A_disk_that_takes_no_key_is_left_without_a_half_of_one()
    {
        using var folder = new Folder();
        var words = string.Join(' ', Executable.Command.Select(word => $"'{word}'"));
        await Command.RunAsync("sh", ["-c", $"cd '{folder.Path}' && mkdir keys && trap '' XFSZ && ulimit -f 0 && "
            + $"DOTNET_EnableWriteXorExecute=0 {words} keygen keys/signing.key 2>/dev/null || true"]);

        Assert.Empty(Directory.GetFiles(folder.File("keys")));
    }

    [Fact]
    public async Task A_key_is_written_whole_and_beside_it_nothing_stays()
    {
        using var folder = new Folder();

        var first = await Cli.RunAsync(["keygen", folder.File("keys/signing.key")]);
        var again = await Cli.RunAsync(["keygen", folder.File("keys/signing.key")]);
        var nameless = await Cli.RunAsync(["keygen", ""]);

        Assert.Equal((0, 2, 2), (first.Code, again.Code, nameless.Code));
        Assert.Equal([folder.File("keys/signing.key")], Directory.GetFiles(folder.File("keys")));
        Assert.Contains("already exists", again.Error, StringComparison.Ordinal);
        Assert.StartsWith("FILE is ''", nameless.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--directory is '', which names nothing", "init", "--preset", "watch", "--directory", "")]
    [InlineData("--root is '', which names nothing", "install", "--root", "")]
    [InlineData("--root is '', which names nothing", "uninstall", "--root", "")]
    public async Task A_variable_that_was_not_set_is_told(string expected, params string[] arguments)
    {
        var (code, _, error) = await Cli.RunAsync(arguments);

        Assert.Equal(2, code);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    /// <summary>What it says of the machine's own ports.</summary>
    [Fact]
    public async Task A_port_that_is_chosen_for_clients_is_not_taken_for_the_dashboard()
    {
        using var folder = new Folder();

        var (code, _, error) = await Cli.RunAsync(
            ["init", "--preset", "watch", "--offline", "--port", "8081", "--directory", folder.Path]);
        using var made = JsonDocument.Parse(await File.ReadAllBytesAsync(folder.File("trustix-proxy.json")));

        Assert.Equal(0, code);
        Assert.NotEqual("http://127.0.0.1:8081",
            made.RootElement.GetProperty("operations").GetProperty("listen")[0].GetString());
        Assert.DoesNotContain("8081 is taken by another program", error, StringComparison.Ordinal);
        Assert.Matches("the dashboard gets port [0-9]+\n", error);
    }
}

/// <summary>A test that needs a namespace of its own for the machine's name, skipped where this machine lets nobody have one.</summary>
public sealed class NamespaceFactAttribute : FactAttribute
{
    private static readonly Lazy<bool> IsAllowed = new(() =>
    {
        try
        {
            using var probe = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(
                "unshare", ["--map-root-user", "--uts", "sh", "-c", "printf probe >/proc/sys/kernel/hostname"])
            {
                RedirectStandardError = true,
            })!;
            probe.WaitForExit();
            return probe.ExitCode is 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    });

    public NamespaceFactAttribute()
    {
        if (!IsAllowed.Value)
        {
            Skip = "unshare --uts is missing or not allowed here: install util-linux, and run the tests as root.";
        }
    }
}
