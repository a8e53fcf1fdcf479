using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

public sealed partial class VerbTests
{
    [Fact]
    public async Task Keygen_makes_a_key_for_its_owners_eyes_and_never_over_another_file()
    {
        using var folder = new Folder();
        var file = folder.File("new/key");

        var made = await Cli.RunAsync(["keygen", file, "--name", "cache.example.org-1"]);
        var again = await Cli.RunAsync(["keygen", file]);
        var badName = await Cli.RunAsync(["keygen", folder.File("other"), "--name", "a b"]);

        Assert.Equal(0, made.Code);
        Assert.True(NixSecretKey.TryParse(File.ReadAllText(file).Trim(), out var key, out _));
        Assert.Equal(key.PublicKey.ToString(), made.Output.Trim());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal((2, 2), (again.Code, badName.Code));
        Assert.Contains("--name: 'a b' is not the name of a key", badName.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Parameter", badName.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_help_of_each_verb_shows_how_it_is_typed_and_what_its_exit_codes_say()
    {
        var pages = new ConcurrentBag<(string Verb, string Page)>();
        await ReadAsync([]);

        Assert.True(pages.Count > 25);
        Assert.All(pages, page =>
        {
            var (known, examples) = (page.Page.Split("\nExamples:\n")[0], page.Page.Split("\nExamples:\n")[1]);
            Assert.Contains($"$ trustix-proxy {(page.Verb.Length is 0 ? "VERB" : page.Verb)}", examples, StringComparison.Ordinal);
            Assert.All(Option.Matches(examples), option => Assert.True(option.Value is "--help"
                || known.Contains($"{option.Value} ", StringComparison.Ordinal), $"{page.Verb} has no {option.Value}"));
            Assert.Matches("\nExit codes:\n  0 (success, 1 negative answer, 2 invalid command line"
                + "| [^\n]+\n  1  (.|\n)+\n  2  command line)", examples);
        });

        async Task ReadAsync(string[] verb)
        {
            var page = (await Cli.RunAsync([.. verb, "--help"])).Output;
            pages.Add((string.Join(' ', verb), page));
            var commands = page.IndexOf("\nCommands:\n", StringComparison.Ordinal);
            await Task.WhenAll(
                commands < 0 ? [] : Listed.Matches(page[commands..]).Select(match => ReadAsync([.. verb, match.Groups[1].Value])));
        }
    }

    [Fact]
    public async Task The_demo_serves_what_two_agree_on_and_refuses_the_rest()
    {
        var timer = Stopwatch.StartNew();
        var (code, output, error) = await Cli.RunAsync(["demo"]);

        Assert.True(code is 0, output + error);
        Assert.True(timer.Elapsed < TimeSpan.FromSeconds(20), $"{timer.Elapsed}");
        Assert.Matches("^dashboard  http://127\\.0\\.0\\.1:[0-9]+/\n", output);
        foreach (var expected in new[] { "hello-1.0", "agreed", "conflict", "undecided", "bytes, verified", "Everything is as expected.",
            "frozen", "nothing: the cache sent another NAR", "two of the three say alike",
            "nix --extra-experimental-features nix-command copy --from http://127.0.0.1:", "trusted-public-keys = demo-trustix-1:" })
        {
            Assert.Contains(expected, output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Serve_without_a_configuration_makes_a_key_says_what_is_missing_and_serves()
    {
        using var folder = new Folder();
        var start = Executable.Start("serve");
        start.Environment["XDG_STATE_HOME"] = folder.Path;
        start.Environment["TRUSTIXPROXY__LISTEN__0"] = "http://127.0.0.1:0";
        start.Environment["TRUSTIXPROXY__OPERATIONS__LISTEN__0"] = "http://127.0.0.1:0";
        using var process = Process.Start(start)!;
        var lines = new List<string>();
        while (await process.StandardError.ReadLineAsync() is { } line)
        {
            lines.Add(line);
            if (line.StartsWith("serving at ", StringComparison.Ordinal))
            {
                break;
            }
        }

        using var client = new HttpClient();
        var info = await client.GetStringAsync(new Uri(lines[^1]["serving at ".Length..] + "/nix-cache-info"));
        using var stop = Process.Start("kill", ["-TERM", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await process.WaitForExitAsync();

        var key = Path.Combine(folder.Path, "trustix-proxy", "signing.key");
        Assert.True(NixSecretKey.TryParse(File.ReadAllText(key).Trim(), out var made, out _));
        Assert.EndsWith("-trustix-1", made.PublicKey.Name, StringComparison.Ordinal);
        Assert.Contains($"created a signing key: {key}", lines);
        Assert.Contains($"clients trust: trusted-public-keys = {made.PublicKey}", lines);
        Assert.Contains(lines, line => line.StartsWith("warning: logs: is empty", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("warning: upstreams: is empty", StringComparison.Ordinal));
        Assert.Contains("StoreDir: /nix/store", info, StringComparison.Ordinal);
        Assert.Equal(0, process.ExitCode);
    }

    [Theory]
    [InlineData]
    [InlineData("nonsense")]
    [InlineData("serve", "--nonsense")]
    [InlineData("keygen")]
    [InlineData("log", "submit")]
    [InlineData("log", "submit", "/nix/store/x", "--token-file", "x", "--url", "nonsense")]
    [InlineData("log", "submit", "/nix/store/x", "--token-file", "x", "--url", "unix://run/log")]
    public async Task A_wrong_command_line_is_a_usage_error(params string[] arguments) =>
        Assert.Equal(2, (await Cli.RunAsync(arguments)).Code);

    [Fact]
    public async Task What_is_no_store_path_cannot_be_submitted()
    {
        using var folder = new Folder();
        var key = folder.File("key");
        await Cli.RunAsync(["keygen", key]);
        var (code, _, error) = await Cli.RunAsync(["log", "submit", "--token-file", key, "/etc/passwd"]);

        const string told = "PATH is '/etc/passwd', which is neither in /nix/store or /gnu/store, nor a link to a path there\n";
        Assert.Equal((2, told), (code, error));
    }

    [Theory]
    [InlineData("serve", """ "operations": { "listen": [] } """)]
    [InlineData("log", """ "privateListen": ["http://127.0.0.1:0"], "logs": [{ "name": "mine", "privateKeyFile": "KEY" }] """)]
    public async Task An_address_that_is_taken_is_refused_in_one_line(string verb, string more)
    {
        using var folder = new Folder();
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        var key = folder.File("key");
        await Cli.RunAsync(["keygen", key]);
        var config = folder.File("c.json", $$"""{ "listen": ["http://{{taken.LocalEndpoint}}"], "stateDirectory": "{{folder.Path}}", {{more.Replace("KEY", key, StringComparison.Ordinal)}} }""");

        var (code, _, error) = await Cli.RunAsync([.. verb is "log" ? ["log"] : Array.Empty<string>(), "serve", "--config", config]);

        Assert.Equal(2, code);
        Assert.Contains($"http://{taken.LocalEndpoint}", error, StringComparison.Ordinal);
        Assert.EndsWith("address already in use. Use a free address of this machine.\n1 fault; nothing was started.\n",
            error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_nodes_on_one_state_directory_are_refused()
    {
        using var folder = new Folder();
        var key = folder.File("key");
        await Cli.RunAsync(["keygen", key]);
        var config = folder.File("c.json", $$"""{ "listen": ["http://127.0.0.1:0"], "privateListen": ["unix:{{folder.Path}}/s"], "stateDirectory": "{{folder.Path}}", "logs": [{ "name": "mine", "privateKeyFile": "{{key}}" }] }""");
        var start = Executable.Start("log", "serve", "--config", config);
        using var first = Process.Start(start)!;
        while (await first.StandardError.ReadLineAsync() is { } line && !line.StartsWith("serving", StringComparison.Ordinal))
        {
        }

        var second = await Cli.RunAsync(["log", "serve", "--config", config]);
        first.Kill();
        await first.WaitForExitAsync();

        Assert.Equal(2, second.Code);
        Assert.Contains(
            $"stateDirectory is '{folder.Path}', which another trustix-proxy process uses", second.Error, StringComparison.Ordinal);
        var check = await Cli.RunAsync(["log", "fsck", "--json", "--config", config]);
        Assert.True(check.Code is 0, check.Error);
        Assert.Equal(("mine", 0, 0), (Json(check.Output, "log").GetString(), Json(check.Output, "entries").GetInt32(),
            Json(check.Output, "faults").GetArrayLength()));
    }

    private static JsonElement Json(string text, string name) => JsonDocument.Parse(text).RootElement.GetProperty(name);

    [GeneratedRegex(@"(?<![\w-])--[a-z][a-z-]*")]
    private static partial Regex Option { get; }

    [GeneratedRegex("^  ([a-z-]+)", RegexOptions.Multiline)]
    private static partial Regex Listed { get; }
}
