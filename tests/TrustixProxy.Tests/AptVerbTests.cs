using System.Diagnostics;
using System.Text;
using System.Text.Json;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Indexes;
using TrustixProxy.AptGate.Releases;
using TrustixProxy.Configuration;
using TrustixProxy.IO.Storage;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.Verbs.Apt;

namespace TrustixProxy.Tests;

/// <summary>The verbs for Debian packages, as they are typed.</summary>
public sealed class AptVerbTests
{
    private const string Key = "MCwwBwYDK2VwBQADIQC9FhPuxp6wKmoDnY9OpwyFL7GaMVIlA1oKOvidLorpDg==",
        Other = "MCwwBwYDK2VwBQADIQDRQqs1MIgECTfZvapk5SFK5L5kqVR4UEqE1m/ol+Jy7Q==";

    [Fact]
    public async Task A_configuration_is_read_with_keys_of_one_line_or_many_and_its_weaknesses_are_said()
    {
        using var folder = new Folder();
        var pem = $"-----BEGIN PUBLIC KEY-----\\r\\n{Other}\\r\\n-----END PUBLIC KEY-----\\r\\n";

        var (code, output, error) = await CheckAsync(folder, $$"""
            { "archives": [ { "name": "debian", "url": "http://deb.example/debian" } ],
              "rebuilders": [ { "name": "a", "url": "http://a.example", "publicKey": "{{Key}}" },
                              { "name": "b", "url": "http://b.example/x", "publicKey": "{{pem}}", "operator": "bob" } ],
              "mode": "report",
              "policy": { "quorum": 1, "scopes": [ { "match": "linux-*", "quorum": 2 } ],
                "exceptions": [ { "match": "sl", "accept": "archive", "reason": "a date", "expires": "2037-01-31" } ] } }
            """);

        Assert.True(code is 0, error);
        Assert.StartsWith(
            "valid for apt serve: 1 of 2 operators must agree, archives debian.\nexception: 'sl'", output, StringComparison.Ordinal);
        Assert.Contains("policy.quorum: 1 of 2 is at most half", error, StringComparison.Ordinal);
        Assert.Contains("mode: in report mode every package is served", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_faults_are_told_at_once_with_key_value_and_remedy()
    {
        using var folder = new Folder();

        var (code, _, error) = await CheckAsync(folder, $$"""
            { "listen": ["ftp://x"],
              "archives": [ { "name": "de/bian", "url": "deb.example" }, { "url": "http://127.0.0.1:8093/x", "name": "b" } ],
              "rebuilders": [ { "name": "a", "url": "http://a.example", "publicKey": "{{Key}}" },
                              { "name": "b", "url": "http://b.example", "publicKey": "{{Key}}" },
                              { "name": "c", "url": "http://c.example", "publicKey": "abc" } ],
              "policy": { "quorum": 9, "minimumAge": "1.00:00:00",
                "exceptions": [ { "match": "sl", "accept": "md5:1", "reason": "x", "expires": "soon" },
                                { "match": "sl", "accept": "rebuilder:zoe", "reason": "x", "expires": "2037-01-31" } ] } }
            """);

        Assert.Equal(2, code);
        foreach (var fault in new[]
        {
            "listen: has 'ftp://x'", "archives[0].name: is 'de/bian'", "archives[0].url: is 'deb.example'",
            "archives[1].url: is 'http://127.0.0.1:8093/x', where this proxy itself listens",
            "rebuilders: has one publicKey for 'a' and 'b'",
            "rebuilders[2].publicKey: is 'abc'", "policy.quorum: is 9", "policy.minimumAge: is not a key",
            "policy.exceptions[0].accept: is 'md5:1'", "policy.exceptions[0].expires: is 'soon'",
            "policy.exceptions[1].accept: is 'rebuilder:zoe', but 'rebuilders' has none of that name",
        })
        {
            Assert.Contains(fault, error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_empty_one_is_told_what_it_lacks()
    {
        using var folder = new Folder();

        var (code, _, error) = await CheckAsync(folder, "{ \"archives\": [] , \"rebuilders\": [] }", "apt", "verify", "x");

        Assert.Equal(2, code);
        Assert.Contains("archives: is missing or empty", error, StringComparison.Ordinal);
        Assert.Contains("rebuilders: is missing or empty", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Init_writes_what_serve_takes_with_the_keys_it_is_given_and_over_nothing()
    {
        using var folder = new Folder();
        var file = folder.File("new.json");
        string[] arguments =
            ["apt", "init", "--rebuilder", $"a,http://a.example,{Key}", "--rebuilder", $"b,http://b.example,{Other}", "--output", file];

        var (code, output, error) = await Cli.RunAsync(arguments);
        var again = await Cli.RunAsync(arguments);

        Assert.True(code is 0, error);
        Assert.Contains("URIs: http://127.0.0.1:8092/debian-security", output, StringComparison.Ordinal);
        Assert.Contains("It only reports at first", output, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(File.ReadAllText(file));
        Assert.Equal("report", json.RootElement.GetProperty("mode").GetString());
        Assert.Equal((2, true), (again.Code, again.Error.Contains("exists", StringComparison.Ordinal)));
        var bad = await Cli.RunAsync(["apt", "init", "--rebuilder", "a,http://a.example,nokey", "--output", folder.File("bad.json")]);
        Assert.Equal((2, false), (bad.Code, File.Exists(folder.File("bad.json"))));
    }

    [Fact]
    public async Task Without_a_rebuilder_or_an_answer_nothing_is_written()
    {
        using var folder = new Folder();

        var none = await Cli.RunAsync(["apt", "init", "--output", folder.File("x.json")]);
        var away = await Cli.RunAsync(["apt", "init", "--rebuilder", "a,http://127.0.0.1:1", "--output", folder.File("x.json")]);
        var plain = await Cli.RunAsync(["apt", "init", "--rebuilder", "a,http://a.example", "--output", folder.File("x.json")]);

        Assert.Equal((2, 1, 1), (none.Code, away.Code, plain.Code));
        Assert.Contains("is no https address", plain.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.File("x.json")));
    }

    [Fact]
    public async Task Explain_says_what_it_does_not_know_and_verify_refuses_what_is_no_bundle()
    {
        using var folder = new Folder();
        var config = Config(folder);

        var unknown = await Cli.RunAsync(["apt", "explain", "hello", "--config", config], Environment(folder));
        var verify = await Cli.RunAsync(["apt", "verify", folder.File("b.json", "{}"), "--config", config], Environment(folder));
        var releases = await Cli.RunAsync(["apt", "releases", "--json", "--config", config], Environment(folder));

        Assert.Equal((2, 1, 0), (unknown.Code, verify.Code, releases.Code));
        Assert.Contains("which no index that passed the gate names", unknown.Error, StringComparison.Ordinal);
        Assert.StartsWith("not verified: it is no decision on a package", verify.Output, StringComparison.Ordinal);
        Assert.Equal("[]\n", releases.Output);
    }

    [Fact]
    public async Task A_bundle_is_verified_by_either_verb_with_the_configuration_of_a_gate_and_by_no_other()
    {
        using var folder = new Folder();
        var config = folder.File("apt.json", $$"""
            { "archives": [ { "name": "debian", "url": "http://127.0.0.1:1/debian" } ],
              "rebuilders": [ { "name": "alice", "url": "http://127.0.0.1:1", "publicKey": "{{Key}}" },
                              { "name": "bob", "url": "http://127.0.0.1:2", "publicKey": "{{Other}}" } ] }
            """);
        var (bundle, serve) = (Path.GetFullPath("Vectors/bundles/deb-v1/agreed.json"), folder.File("serve.json", "{}"));

        var verified = await Cli.RunAsync(["verify", bundle, "--policy", config]);
        var same = await Cli.RunAsync(["apt", "verify", bundle, "--config", config]);
        var other = await Cli.RunAsync(["verify", bundle, "--policy", serve]);

        Assert.Equal((0, 0, 2), (verified.Code, same.Code, other.Code));
        Assert.StartsWith("verified: hello_2.12.3-1_amd64.deb sha256:fcd5f5b2", verified.Output, StringComparison.Ordinal);
        Assert.Equal(same.Output, verified.Output);
        Assert.Contains("give the configuration of its gate", other.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_release_that_another_site_was_not_shown_is_named()
    {
        using var folder = new Folder();
        var config = Config(folder);
        var (one, two) = (Digest.Of("one"u8), Digest.Of("two"u8));
        await NoteAsync(folder, one, two);
        await using var node = await new TestLogNode().StartAsync();
        string[] arguments = ["apt", "releases", "--log", $"{node.PublicUrl}", "--public-key", $"{node.Signer.Key}", "--config", config];

        await node.SubmitAsync((Encoding.UTF8.GetBytes($"apt-release http://127.0.0.1:1/debian sid {one}"), "{}"u8.ToArray()));
        var some = await Cli.RunAsync(arguments, Environment(folder));
        await node.SubmitAsync((Encoding.UTF8.GetBytes($"apt-release http://127.0.0.1:1/debian sid {two}"), "{}"u8.ToArray()));
        var all = await Cli.RunAsync(arguments, Environment(folder));
        arguments[5] = $"{new LogSigner(new byte[32]).Key}";
        var forged = await Cli.RunAsync(arguments, Environment(folder));

        Assert.Equal((1, 0, 3), (some.Code, all.Code, forged.Code));
        Assert.Contains($"{one}  debian  sid  seen there too\n", some.Output, StringComparison.Ordinal);
        Assert.Contains($"{two}  debian  sid  not seen there\n", some.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("not seen", all.Output, StringComparison.Ordinal);
        Assert.Contains("--log: ", forged.Error, StringComparison.Ordinal);
    }

    /// <summary>Takes down Release files, as a gate does that they passed.</summary>
    private static async Task NoteAsync(Folder folder, params Digest[] releases)
    {
        using var writer = new StateWriter(folder.Path);
        var book = new ReleaseBook(writer, TimeProvider.System);
        using var noted = new CountdownEvent(releases.Length);
        book.Noted += () => noted.Signal();
        foreach (var release in releases)
        {
            book.Note("debian", "sid", release);
        }

        await Task.Run(noted.Wait);
    }

    [Fact]
    public async Task Doctor_names_a_source_beside_the_gate()
    {
        using var folder = new Folder();
        Directory.CreateDirectory(Path.Combine(folder.Path, "root/etc/apt"));
        folder.File("root/etc/apt/sources.list", "deb http://deb.debian.org/debian sid main\n");

        var (code, output, _) = await Cli.RunAsync(
            ["apt", "doctor", "--root", Path.Combine(folder.Path, "root"), "--config", Config(folder)], Environment(folder));

        Assert.Equal(1, code);
        Assert.Contains("bad     http://deb.debian.org/debian: ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_is_fetched_once_shown_with_fingerprint_and_source_and_written_only_if_confirmed()
    {
        using var folder = new Folder();
        await using var server = await FakeUpstream.StartAsync();
        server.AddFile("/api/v1/meta/public-keys", Vector("a-public-keys.json"));
        string[] arguments = ["apt", "init", "--rebuilder", $"a,{server.Url}", "--output", folder.File("new.json")];

        var no = await Cli.RunAsync(arguments, input: "no\n");
        var isWritten = File.Exists(folder.File("new.json"));
        var yes = await Cli.RunAsync(arguments, input: "yes\n");

        Assert.Equal((1, false, 0), (no.Code, isWritten, yes.Code));
        Assert.Matches("\n  fingerprint [0-9a-f]{64}\n", yes.Error);
        Assert.Contains($"  source      {server.Url}api/v1/meta/public-keys\n", yes.Error, StringComparison.Ordinal);
        var check = await Cli.RunAsync(["check-config", "--config", folder.File("new.json")], Environment(folder));
        Assert.True(check.Code is 0, check.Error);
    }

    [Fact]
    public async Task What_a_real_rebuilder_signed_is_explained_and_its_bundle_verifies_offline_until_a_byte_is_another()
    {
        using var folder = new Folder();
        await using var server = await FakeUpstream.StartAsync();
        server.AddFile("/api/v1/packages/binary", Vector("a-hello-packages-binary.json"));
        server.AddFile("/api/v1/builds/3/artifacts/3/attestation", Vector("a-hello.in-toto.link"));
        var config = Config(folder, server.Url);
        Index(folder, "fcd5f5b2169b376ce84d2b541e1e1c2bf5b855eb5e322dd623a88395e2e7458e");
        var bundle = folder.File("hello.json");

        var (code, output, error) = await Cli.RunAsync(
            ["apt", "explain", "hello", "--bundle", bundle, "--config", config], Environment(folder));
        var verified = await Cli.RunAsync(["apt", "verify", bundle, "--config", config], Environment(folder));
        await File.WriteAllTextAsync(bundle, (await File.ReadAllTextAsync(bundle)).Replace("fcd5", "fcd6", StringComparison.Ordinal));
        var changed = await Cli.RunAsync(["apt", "verify", bundle, "--config", config], Environment(folder));

        Assert.True(code is 0, output + error);
        Assert.Contains("\nagreed: 1 of 1 needed: a=good\n  a (a): signed hello_2.12.3-1_amd64.deb", output, StringComparison.Ordinal);
        Assert.StartsWith("verified: hello_2.12.3-1_amd64.deb sha256:fcd5", verified.Output, StringComparison.Ordinal);
        Assert.Equal((0, 1), (verified.Code, changed.Code));
        Assert.StartsWith("not verified: ", changed.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Release_files_come_into_the_log_once()
    {
        await using var node = await new TestLogNode().StartAsync();
        using var folder = new Folder();
        using var log = new ReleaseLog(
            new AptLogOptions(node.PrivateUrl, node.Token, null), [new ArchiveOptions("debian", new Uri("http://deb.example/debian/"))]);
        ServedRelease[] releases = [ReleaseOf("sid", 1), ReleaseOf("trixie", 2)];

        await log.SubmitAsync(releases, default);
        await log.SubmitAsync(releases, default);

        Assert.Equal(2, node.Export(folder.File("export")).Entries);
    }

    private static ServedRelease ReleaseOf(string suite, byte seed) =>
        new("debian", suite, Digest.Of([seed]), DateTimeOffset.UnixEpoch, IsSubmitted: false);

    /// <summary>Leaves behind what a gate has read in an index: hello, with this SHA-256.</summary>
    private static void Index(Folder folder, string sha256)
    {
        var directory = Directory.CreateDirectory(folder.File("indexes")).FullName;
        using var book = new IndexBook(directory);
        var reading = book.Begin("debian", "sid", "1");
        var reader = new PackagesReader(package => book.Add(reading, [package]));
        reader.Append(System.Text.Encoding.ASCII.GetBytes($"""
            Package: hello
            Version: 2.12.3-1
            Architecture: amd64
            Filename: pool/main/h/hello/hello_2.12.3-1_amd64.deb
            Size: 1000
            SHA256: {sha256}


            """));
        reader.Complete();
        book.Commit(reading);
    }

    private static byte[] Vector(string name) =>
        File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Vectors", "rebuilderd", name));

    [Fact]
    public async Task The_proxy_for_Nix_never_loads_this_room_and_the_gate_serves()
    {
        using var folder = new Folder();

        var nix = await AssembliesOfAsync(folder, "serve");
        var apt = await AssembliesOfAsync(folder, "apt", "serve", "--config", Config(folder));

        Assert.DoesNotContain("TrustixProxy.Apt", nix, StringComparison.Ordinal);
        Assert.Equal(Executable.Command.Count > 1, // compiled ahead of time, all rooms are one file
            apt.Contains("TrustixProxy.AptGate.dll", StringComparison.Ordinal));
    }

    /// <summary>What is mapped into a process that serves.</summary>
    private static async Task<string> AssembliesOfAsync(Folder folder, params string[] verb)
    {
        var start = Executable.Start(verb);
        foreach (var (name, value) in Environment(folder))
        {
            start.Environment[name] = value;
        }

        (start.Environment["TRUSTIXPROXY__LISTEN__0"], start.Environment["TRUSTIXPROXY__OPERATIONS__LISTEN__0"]) =
            ("http://127.0.0.1:0", "http://127.0.0.1:0");
        using var process = Process.Start(start)!;
        while (await process.StandardError.ReadLineAsync() is { } line && !line.StartsWith("serving", StringComparison.Ordinal))
        {
        }

        var maps = await File.ReadAllTextAsync($"/proc/{process.Id}/maps");
        process.Kill();
        await process.WaitForExitAsync();
        return maps;
    }

    private static string Config(Folder folder, Uri? rebuilder = null) => folder.File("apt.json", $$"""
        { "archives": [ { "name": "debian", "url": "http://127.0.0.1:1/debian" } ], "deadline": "00:00:02",
          "rebuilders": [ { "name": "a", "url": "{{rebuilder?.ToString() ?? "http://127.0.0.1:1"}}", "publicKey": "{{Key}}" } ] }
        """);

    private static Dictionary<string, string> Environment(Folder folder) => new() { ["TRUSTIXPROXY__STATEDIRECTORY"] = folder.Path };

    private static Task<(int Code, string Output, string Error)> CheckAsync(Folder folder, string json, params string[] verb) =>
        Cli.RunAsync([.. verb.Length > 0 ? verb : ["check-config"], "--config", folder.File("config.json", json)], Environment(folder));
}
