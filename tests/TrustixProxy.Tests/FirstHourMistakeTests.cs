using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TrustixProxy.Configuration;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>What goes wrong in the first hour. Each message names the field, its value and the remedy, so that nobody has to ask.</summary>
public sealed class FirstHourMistakeTests
{
    private const string Key = "kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=", OtherKey = "QUR9i6xPiigzO/JAfcX082KT2P+Ajipf2H65fEqq+6E=",
        Known = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

    [Theory]
    // 1 a key that is cut short, 2 a log's key with the name of one of Nix's, 3 a cache's key without its name
    [InlineData("logs[0].publicKey: is 'kqh3P79Od'; it must be the base64 of the log's 32-byte Ed25519 public key.",
        """{ "logs": [{ "name": "alice", "url": "https://alice.example", "publicKey": "kqh3P79Od" }] }""")]
    [InlineData("logs[0].publicKey: is 'alice-1:" + Key + "'; it must be the base64 of the log's 32-byte Ed25519 public key, without "
        + "'alice-1:' before it.",
        """{ "logs": [{ "name": "alice", "url": "https://alice.example", "publicKey": "alice-1:kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=" }] }""")]
    [InlineData("caches[0].publicKeys: has '" + Key + "', which has no colon; a key is name:base64.",
        """{ "caches": [{ "name": "main", "url": "https://main.example", "publicKeys": ["kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw="] }] }""")]
    // 4 the known key, a letter lost
    [InlineData("caches[0].publicKeys: has 'cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShj=', which has no base64 of 32 "
        + "bytes after the colon; copy it whole from where its owner publishes it.",
        """{ "caches": [{ "name": "main", "url": "https://main.example", "publicKeys": ["cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShj="] }] }""")]
    // 5 an address without a scheme
    [InlineData("upstreams[0].url: is 'cache.nixos.org'; it must be an address with http:// or https://",
        """{ "upstreams": [{ "name": "main", "url": "cache.nixos.org" }] }""")]
    // 6 the proxy itself for an upstream
    [InlineData("upstreams[0].url: is 'http://127.0.0.1:8080/', where this proxy itself listens ('http://127.0.0.1:8080'): it would query "
        + "itself. Give the right server, or remove the entry.", """{ "upstreams": [{ "name": "main", "url": "http://127.0.0.1:8080" }] }""")]
    // 7 more votes than voters
    [InlineData("policy.quorum: is 3; it must be from 1 to 1, the number of operators of the electors.", """
        { "logs": [{ "name": "alice", "url": "https://alice.example", "publicKey": "kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=" }], "policy": { "quorum": 3 } }
        """)]
    // 8 one key for two logs
    [InlineData("logs: has one publicKey for 'alice' and 'bob'; one key would vote twice. Keep one of them.", """
        { "logs": [{ "name": "alice", "url": "https://alice.example", "publicKey": "kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=" },
                   { "name": "bob", "url": "https://bob.example", "publicKey": "kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=" }] }
        """)]
    // 9 a letter wrong in a key of the configuration
    [InlineData("upstream: is not a key of this configuration; 'upstreams' is.",
        """{ "upstream": [{ "name": "main", "url": "https://main.example" }] }""")]
    // 10 a comma forgotten
    [InlineData("which cannot be read: line 3, column 3: '\"' is invalid after a value. Expected either ',', '}', or ']'. Look there, and "
        + "at the end of the line before: often a comma, a quote or a bracket is missing.",
        "{\n  \"deadline\": \"00:00:05\"\n  \"priority\": 30\n}\n")]
    // 11 a state directory that nobody can write to
    [InlineData("stateDirectory: is '/dev/null/state', which is not writable (", """{ "stateDirectory": "/dev/null/state" }""")]
    // 12 a time in other words
    [InlineData("deadline: is '10s'; it must be a time hh:mm:ss[.fff] from 00:00:00.1000000 to 00:04:00.", """{ "deadline": "10s" }""")]
    public void A_faulty_configuration_names_field_value_and_remedy(string expected, string json)
    {
        using var folder = new Folder();
        var makesState = json.Contains("stateDirectory", StringComparison.Ordinal);

        var (read, faults) = ConfigurationFile.Read(
            folder.File("proxy.json", json), section => ServeConfiguration.Read(section, isCheck: !makesState));

        Assert.Null(read);
        Assert.Contains(faults, fault => $"{fault}".Contains(expected, StringComparison.Ordinal));
    }

    /// <summary>13: the known key with one letter wrong is a key as good as any, so that this is a warning.</summary>
    [Fact]
    public void The_known_key_with_a_wrong_letter_is_warned_of_with_the_right_one()
    {
        using var folder = new Folder();
        var wrong = Known.Replace("6NCHdD59", "6NCHdD58", StringComparison.Ordinal);

        var warnings = WarningsOf(folder, wrong);

        Assert.Contains(warnings, warning => warning.StartsWith($"caches: 'main'.publicKeys has '{wrong}', which is not the key",
            StringComparison.Ordinal) && warning.Contains($"{Known}: correct it", StringComparison.Ordinal));
        Assert.DoesNotContain(WarningsOf(folder, Known), warning => warning.Contains("correct it", StringComparison.Ordinal));
    }

    /// <summary>14: a secret that all may read.</summary>
    [Fact]
    public void A_key_file_that_others_may_read_is_told_with_its_mode()
    {
        using var folder = new Folder();
        var key = folder.File("token.key", NixSecretKey.Generate("builder").Export());
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        var file = folder.File("publish.json", $$"""{ "log": { "url": "http://127.0.0.1:8091", "tokenFile": "{{key}}" } }""");

        var (_, faults) = ConfigurationFile.Read(file, section => PublishConfiguration.Read(section, isCheck: true));

        Assert.Contains($"log.tokenFile: is '{key}', which other users can read: chmod 600 it, and create a new key if those users are not "
            + "trusted.", faults.Select(fault => $"{fault}"));
    }

    /// <summary>15: no such file; 16: a file for another verb.</summary>
    [Theory]
    [InlineData("serve", "--config: is 'FOLDER/none.json', where there is no file. Name the right one; trustix-proxy init writes one.",
        "none.json")]
    [InlineData("serve", "--config: is 'FOLDER/log.json', a configuration of log serve: run trustix-proxy log serve --config "
        + "FOLDER/log.json", "log.json")]
    [InlineData("log serve", "--config: is 'FOLDER/proxy.json', a configuration of serve: run trustix-proxy serve --config "
        + "FOLDER/proxy.json", "proxy.json")]
    [InlineData("publish", "--config: is 'FOLDER/proxy.json', a configuration of serve: run trustix-proxy serve --config "
        + "FOLDER/proxy.json", "proxy.json")]
    [InlineData("serve", "--config: is 'FOLDER/apt.json', a configuration of apt serve: run trustix-proxy apt serve --config "
        + "FOLDER/apt.json", "apt.json")]
    public async Task A_wrong_file_is_told_with_what_it_is(string verb, string expected, string name)
    {
        using var folder = new Folder();
        folder.File("log.json", """{ "logs": [{ "name": "mine", "privateKeyFile": "/nowhere/key" }] }""");
        folder.File("proxy.json", """{ "upstreams": [{ "name": "main", "url": "https://main.example" }], "x": 1 }""");
        folder.File("apt.json", """{ "archives": [{ "name": "debian" }], "policy": {} }""");

        var (code, _, error) = await Cli.RunAsync([.. verb.Split(' '), "--config", folder.File(name)]);

        Assert.Equal((2, $"{expected.Replace("FOLDER", folder.Path, StringComparison.Ordinal)}\n1 fault; nothing was started.\n"),
            (code, error));
    }

    /// <summary>17: a port that is taken; 18: a second proxy on one state.</summary>
    [Fact]
    public async Task A_port_and_a_state_that_are_taken_are_told_with_what_to_do()
    {
        using var folder = new Folder();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var file = Write("a.json", $"http://{taken.LocalEndpoint}");
        var other = Write("b.json", "http://127.0.0.1:0");
        var start = Executable.Start("serve", "--config", other);
        using var first = Process.Start(start)!;
        while (await first.StandardError.ReadLineAsync() is { } line && !line.StartsWith("serving", StringComparison.Ordinal))
        {
        }

        var second = await Cli.RunAsync(["serve", "--config", other]);
        first.Kill();
        await first.WaitForExitAsync();
        var port = await Cli.RunAsync(["serve", "--config", file]);

        Assert.Equal(2, second.Code);
        Assert.Contains($"stateDirectory: is '{folder.Path}', which another trustix-proxy process uses: stop it, or set another directory.",
            second.Error, StringComparison.Ordinal);
        Assert.Equal(2, port.Code);
        Assert.Contains($"http://{taken.LocalEndpoint}: cannot bind: ", port.Error, StringComparison.Ordinal);
        Assert.Contains("address already in use. Use a free address of this machine.", port.Error, StringComparison.Ordinal);

        string Write(string name, string listen) => folder.File(name, $$"""{ "listen": ["{{listen}}"], "operations": { "listen": [] }, "stateDirectory": "{{folder.Path}}" }""");
    }

    /// <summary>19: a log that is away; 20: a log under another key; 21: https for a server that speaks http.</summary>
    [Fact]
    public async Task An_elector_that_cannot_vote_is_told_with_what_to_look_at()
    {
        await using var stage = await Stage.StartAsync();
        var (alice, bob) = (stage.Proxy.Log("alice"), stage.Proxy.Log("bob"));
        var file = stage.Folder.File("wrong.json", $$"""
            { "stateDirectory": "{{stage.Folder.Path}}/other", "deadline": "00:00:10", "logs": [
                { "name": "away", "url": "http://127.0.0.1:1", "publicKey": "{{Key}}" },
                { "name": "key", "url": "{{bob.Url}}", "publicKey": "{{OtherKey}}" },
                { "name": "tls", "url": "https://127.0.0.1:{{alice.Url.Port}}", "publicKey": "{{alice.Log.Signer.Key}}" } ] }
            """);

        var (_, output, _) = await Cli.RunAsync(["explain", TestOutput.Make("hello").Path.Absolute, "--config", file]);

        Assert.Contains("away does not vote: check its url, this machine's DNS and firewall, and http_proxy", output,
            StringComparison.Ordinal);
        Assert.Contains("key does not vote: its head is signed by another key than publicKey: ask its operator for the log's key.", output,
            StringComparison.Ordinal);
        Assert.Contains("tls does not vote: TLS fails: set caFile or SSL_CERT_FILE", output, StringComparison.Ordinal);
        Assert.Contains("whether the server speaks TLS at all", output, StringComparison.Ordinal);
    }

    /// <summary>22: the clock is off. 23 and 24, a second substituter and trusted users, are in
    /// <see cref="Packaging.InitLooksAroundTests"/>.</summary>
    [Fact]
    public async Task A_clock_that_is_off_is_told_by_init()
    {
        using var folder = new Folder();
        await using var cache = await FakeUpstream.StartAsync();
        cache.AddFile("/nix-cache-info", "StoreDir: /nix/store\n"u8.ToArray());
        cache.Intercept = context =>
        {
            context.Response.Headers.Date = "Mon, 01 Jan 2001 00:00:00 GMT";
            return Task.FromResult(false);
        };

        var (code, _, error) = await Cli.RunAsync(
            ["init", "--preset", "sources", "--directory", folder.File("made"), "--cache", $"main,{cache.Url},{Known}"]);

        Assert.Equal(0, code);
        Assert.Contains("this machine's clock and that of main are ", error, StringComparison.Ordinal);
        Assert.Contains(" apart: set the clock, or certificates and witnesses' signatures are taken for expired", error,
            StringComparison.Ordinal);
    }

    private static IReadOnlyList<string> WarningsOf(Folder folder, string key)
    {
        var file = folder.File("proxy.json", $$"""
            { "stateDirectory": "{{folder.Path}}", "caches": [{ "name": "main", "url": "https://cache.nixos.org", "publicKeys": ["{{key}}"] }] }
            """);
        return [.. ConfigurationFile.Read(file, section => ServeConfiguration.Read(section, isCheck: true)).Options!.Warnings()];
    }
}
