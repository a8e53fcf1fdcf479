using System.Diagnostics;
using System.Text.Json;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests.Packaging;

public sealed class InitTests
{
    private const string Alice = "alice,https://alice.example,kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=",
        Bob = "bob,https://bob.example,QUR9i6xPiigzO/JAfcX082KT2P+Ajipf2H65fEqq+6E=";

    [Theory]
    [InlineData("watch", new string[0], "http://127.0.0.1:8080")]
    [InlineData("watch", new[] { Alice }, "http://127.0.0.1:8080")]
    [InlineData("home", new[] { Alice, Bob }, "http://127.0.0.1:8080")]
    [InlineData("organisation", new[] { Alice }, "http://cache.example:8080")]
    [InlineData("sources", new string[0], "http://127.0.0.1:8080")]
    public async Task A_proxys_preset_is_a_working_configuration_with_a_key_and_the_lines_for_nix(string preset, string[] logs, string url)
    {
        using var folder = new Folder();

        var made = await Cli.RunAsync(["init", "--preset", preset, "--directory", folder.Path, "--url", "http://cache.example:8080",
            "--port", "8080", "--offline",
            .. logs.SelectMany(log => new[] { "--log", log })]);
        var check = await Cli.RunAsync(["check-config", "--config", folder.File("trustix-proxy.json")],
            new() { ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.File("state") });

        Assert.True(made.Code is 0, made.Error);
        Assert.True(check.Code is 0, check.Error);
        Assert.True(NixSecretKey.TryParse((await File.ReadAllTextAsync(folder.File("signing.key"))).Trim(), out var key, out _));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(folder.File("signing.key")));
        Assert.Contains($"substituters = {url}\n", made.Output, StringComparison.Ordinal);
        Assert.Contains($"trusted-public-keys = {key.PublicKey}\n", made.Output, StringComparison.Ordinal);
        var machine = await EvaluateAsync(folder, made.Output);
        Assert.Equal(
            key.PublicKey.ToString(), machine.GetProperty("nix").GetProperty("settings").GetProperty("trusted-public-keys")[0].GetString());
        Assert.Equal(preset is "organisation" ? 1 : 0, machine.GetProperty("ports").GetArrayLength());
    }

    [Fact]
    public async Task A_builders_preset_prints_what_others_add()
    {
        using var folder = new Folder();
        var builder = folder.File("builder");

        var made = await Cli.RunAsync(
            ["init", "--preset", "builder", "--name", "alice", "--url", "https://log.alice.example", "--directory", builder]);
        var log = await Cli.RunAsync(["check-config", "--config", Path.Combine(builder, "trustix-log.json")],
            new() { ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.File("state") });
        var publish = await Cli.RunAsync(["check-config", "--config", Path.Combine(builder, "trustix-publish.json")],
            new() { ["TRUSTIXPROXY__SPOOLDIRECTORY"] = folder.File("spool") });
        var added = made.Output.Split('\n')
            .Single(line => line.StartsWith("others add: ", StringComparison.Ordinal))["others add: ".Length..];
        var other = await Cli.RunAsync(["init", "--preset", "home", "--log", added, "--log", Bob, "--offline",
            "--directory", folder.File("other")]);

        Assert.Equal((0, 0, 0, 0), (made.Code, log.Code, publish.Code, other.Code));
        Assert.StartsWith("alice,https://log.alice.example,", added, StringComparison.Ordinal);
        Assert.Equal(2, new Unit(await EvaluateAsync(folder, made.Output), "trustix-log").Service.GetProperty("LoadCredential")[0]
            .GetString()!.Split(':').Length);
    }

    [Fact]
    public async Task Without_a_preset_it_asks_until_it_is_told()
    {
        using var folder = new Folder();

        var (code, output) = await AskAsync(folder, $"nonsense\nhome\nbad\n{Alice}\n{Bob}\n\n");
        var (ended, _) = await AskAsync(folder, "");
        using var other = new Folder();
        var (proposed, _) = await AskAsync(other, "\n\n");

        Assert.Equal((0, 2, 0), (code, ended, proposed));
        Assert.True(File.Exists(other.File("trustix-proxy.json")));
        Assert.Contains("wrote ", output, StringComparison.Ordinal);
        using var made = JsonDocument.Parse(await File.ReadAllBytesAsync(folder.File("trustix-proxy.json")));
        Assert.Equal(
            ["alice", "bob"], made.RootElement.GetProperty("logs").EnumerateArray().Select(log => log.GetProperty("name").GetString()));
        Assert.Equal(2, made.RootElement.GetProperty("policy").GetProperty("quorum").GetInt32());
    }

    [Fact]
    public async Task Nothing_is_written_over_without_force_and_no_key_ever()
    {
        using var folder = new Folder();
        string[] watch = ["init", "--preset", "watch", "--offline", "--directory", folder.Path];
        await Cli.RunAsync(watch);
        var (config, key) = (
            await File.ReadAllTextAsync(folder.File("trustix-proxy.json")), await File.ReadAllTextAsync(folder.File("signing.key")));

        var refused = await Cli.RunAsync([.. watch, "--log", Alice]);
        var same = await File.ReadAllTextAsync(folder.File("trustix-proxy.json"));
        var forced = await Cli.RunAsync([.. watch, "--log", Alice, "--force"]);

        Assert.Equal((2, 0), (refused.Code, forced.Code));
        Assert.Contains($"{folder.File("trustix-proxy.json")} already exists; --force overwrites it (but no keys)", refused.Error,
            StringComparison.Ordinal);
        Assert.Equal(config, same);
        Assert.NotEqual(config, await File.ReadAllTextAsync(folder.File("trustix-proxy.json")));
        Assert.Equal(key, await File.ReadAllTextAsync(folder.File("signing.key")));
    }

    [Theory]
    [InlineData("--log: is given 1 times; the preset needs at least 2", "--preset", "home", "--log", Alice)]
    [InlineData("logs: has the name 'alice' 2 times", "--preset", "home", "--log", Alice, "--log", Alice)]
    [InlineData("logs[1].publicKey: is 'short'; it must be the base64", "--preset", "home", "--log", Alice, "--log",
        "bob,https://bob.example,short")]
    [InlineData("policy.quorum: is 3; it must be from 1 to 2", "--preset", "home", "--log", Alice, "--log", Bob, "--quorum", "3")]
    [InlineData("'alice' is not NAME,URL,KEY", "--preset", "home", "--log", "alice")]
    [InlineData(
        "--preset is 'nonsense'; it must be watch, home, organisation, builder, second-voice, sources or farms.", "--preset", "nonsense")]
    [InlineData("--log: is given, and the preset sources asks nobody", "--preset", "sources", "--log", Alice)]
    [InlineData("--rebuilder: is given, and only the preset second-voice asks", "--preset", "watch", "--rebuilder",
        "a,https://a.example,a:b")]
    [InlineData("--rebuilder: is given 0 times", "--preset", "second-voice")]
    [InlineData("caches[1].publicKeys: has 'key', which has no colon", "--preset", "second-voice", "--rebuilder",
        "a,https://a.example,key")]
    [InlineData("logs[0].name: is 'a/b'", "--preset", "builder", "--name", "a/b", "--url", "http://a.example")]
    [InlineData("--url: is 'log.alice.example'; it must be an address with http:// or https://", "--preset", "builder", "--url",
        "log.alice.example")]
    [InlineData("--url: is 'http://a.example/,b', with a comma, which parts NAME,URL,PUBLICKEY", "--preset", "builder", "--url",
        "http://a.example/,b")]
    [InlineData("--url: has a user name or password", "--preset", "organisation", "--log", Alice, "--url", "http://me:secret@a.example")]
    public async Task A_faulty_answer_is_named_and_leaves_nothing_behind(string expected, params string[] arguments)
    {
        using var folder = new Folder();

        var (code, _, error) = await Cli.RunAsync(["init", "--directory", folder.Path, .. arguments]);

        Assert.Equal(2, code);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    /// <summary>The lines for NixOS that it printed, as a machine.</summary>
    private static async Task<JsonElement> EvaluateAsync(Folder folder, string output)
    {
        var module = folder.File(
            "module.nix", $"{{ lib, ... }}: {{\n{output[output.IndexOf("  services.trustix-", StringComparison.Ordinal)..]}\n}}\n");
        var machine = await Command.EvaluateAsync($"stub.machine (ours ++ [ {module} ])");
        Assert.Equal(0, machine.GetProperty("failed").GetArrayLength());
        return machine;
    }

    private static async Task<(int Code, string Output)> AskAsync(Folder folder, string answers)
    {
        var start = Executable.Start("init", "--offline", "--directory", folder.Path);
        (start.RedirectStandardInput, start.RedirectStandardOutput) = (true, true);
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(answers);
        process.StandardInput.Close();
        var output = await process.StandardOutput.ReadToEndAsync();
        await error;
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }
}
