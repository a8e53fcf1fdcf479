namespace TrustixProxy.Tests;

public sealed class CheckConfigTests
{
    private const string KeyA = "kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=", KeyB = "QUR9i6xPiigzO/JAfcX082KT2P+Ajipf2H65fEqq+6E=";

    [Fact]
    public async Task A_good_configuration_is_summed_up()
    {
        using var folder = new Folder();
        var (code, output, error) = await CheckAsync(folder, $$"""
            {
              "stateDirectory": "{{folder.Path}}/state",
              "upstreams": [{ "name": "nixos", "url": "https://cache.nixos.org" }],
              "logs": [
                { "name": "alice", "url": "https://alice.example.org", "publicKey": "{{KeyA}}" },
                { "name": "bob", "url": "unix:/run/bob.sock", "publicKey": "{{KeyB}}", "inclusionProof": "required",
                    "keyForm": "storePath", "protocol": "nix", "mode": "mirror" }
              ],
              "policy": { "quorum": 2, "dissent": "outvoted" },
              "deadline": "00:00:05.500", "priority": 20, "onUndecided": "unavailable", "listen": ["http://127.0.0.1:9999"]
            }
            """);

        Assert.Equal((0, "valid for serve: 2 of 2 operators must agree, 1 upstreams.\n", ""), (code, output, error));
        Assert.False(Directory.Exists(Path.Combine(folder.Path, "state")), "nothing is made by looking");
    }

    [Theory]
    [InlineData("""  "mode": "mirror"  """, null)]
    [InlineData("""  "mode": "light"  """, "needs \"mode\": \"mirror\"")]
    [InlineData("""  "mode": "mirror", "url": "http://x"  """, "replaces 'url'")]
    public async Task Static_files_of_a_log_take_the_place_of_its_node_and_are_mirrored(string rest, string? fault)
    {
        using var folder = new Folder();
        var (code, _, error) = await CheckAsync(folder, $$"""
            { "stateDirectory": "{{folder.Path}}/state", "upstreams": [{ "name": "nixos", "url": "https://cache.nixos.org" }],
              "logs": [{ "name": "alice", "publicKey": "{{KeyA}}", "exportUrl": "file:///srv/alice", {{rest}} }] }
            """);

        Assert.Equal(fault is null ? 0 : 2, code);
        Assert.Contains(fault ?? "", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_faults_are_shown_at_once_each_with_key_value_and_remedy()
    {
        using var folder = new Folder();
        var (code, _, error) = await CheckAsync(folder, $$"""
            {
              "stateDirectory": "/proc/nowhere", "listen": ["9999"], "clients": { "basicFile": "/nowhere/c",
                  "bearerFile": "{{folder.File("tokens", "a\n:\nb:x\nc:x\n")}}", "bytesPerSecond": 5 }, "limits": { "concurency": 1,
                  "waiting": -1 },
              "forwardedFrom": ["10.0.0.1/33", "unix:", "::1"], "tls": { "certificateFile": "/nowhere/a", "keyFile": "/nowhere/b",
                  "pass": "x" }, "priority": 0, "deadline": "5s", "onUndecided": "maybe", "upstream": [],
              "upstreams": [{ "name": "a", "url": "ftp://x" }, { "name": "a", "url": "https://x", "prioritty": 1 }],
              "logs": [{ "name": "alice", "url": "nowhere", "publicKey": "short", "keyForm": "x", "mode": "copy" }, { "url": "https://b",
                  "publicKey": "{{KeyB}}", "protocol": "test" }],
              "policy": { "quorum": 7, "dissent": "no", "percent": 50 },
              "redis": { "configuration": "x:6379,password=hunter2", "keyPrefix": "a b", "passwordFile": "/nowhere", "pasword": "x" },
              "previousSigningKeyFiles": ["/nowhere"], "signingKeyFile": "{{folder.File("key", "nonsense")}}"
            }
            """);

        Assert.Equal(2, code);
        foreach (var expected in new[]
        {
            "listen: has '9999'; an address is http://ip:port or http://localhost:port, also with https, or unix:/path.",
            "tls.certificateFile: is '/nowhere/a', which is not a usable certificate with the key '/nowhere/b': ",
            "clients.basicFile: is '/nowhere/c', which cannot be read",
            "clients.bearerFile: is '" + Path.Combine(folder.Path, "tokens") + "', which other users can read",
            "whose line 1 is not name:token.", "whose line 2 is not name:token.", "whose line 4 repeats another line",
            "clients.bytesPerSecond: is '5'; it must be at least 1000, or 0 for no limit.",
            "limits.concurency: is not a key of this configuration; 'concurrency' is.",
            "limits.waiting: is '-1'; it must be a whole number from 0 to 1000000.",
            "forwardedFrom: has '10.0.0.1/33'; it must be an address, a network",
            "tls.pass: is not a key of this configuration. Known here: certificateFile, keyFile.",
            "priority: is '0'; it must be a whole number from 1 to 1000.",
            "deadline: is '5s'; it must be a time hh:mm:ss[.fff] from 00:00:00.1000000 to 00:04:00.",
            "onUndecided: is 'maybe'; it must be \"notFound\" or \"unavailable\".",
            "upstreams: has the name 'a' 2 times; each needs its own.",
            "upstreams[0].url: is 'ftp://x'; it must be an address with http:// or https://, or file:///path, or s3://bucket.",
            "upstreams[1].prioritty: is not a key of this configuration; 'priority' is.",
            "upstream: is not a key of this configuration; 'upstreams' is.",
            "logs[0].url: is 'nowhere'; it must be an address with http:// or https://, or unix:/path.",
            "logs[0].publicKey: is 'short'; it must be the base64 of the log's 32-byte Ed25519 public key.",
            "logs[0].keyForm: is 'x'; it must be \"storePath\" or \"referenceProxy\".",
            "logs[0].mode: is 'copy'; it must be \"light\" or \"mirror\".",
            "logs[1].name: is missing. Set it, for example to \"alice\".",
            "logs[1].protocol: is 'test'; it must be \"nix\".",
            "policy.quorum: is 7; it must be from 1 to 2, the number of operators of the electors.",
            "policy.dissent: is 'no'; it must be \"outvoted\" or \"veto\".",
            "policy.percent: is set together with 'quorum'; a policy has one of rule, quorum and percent.",
            "redis.configuration: has a password; put it into a file and set redis.passwordFile.",
            "redis.keyPrefix: is 'a b'; it must be printable ASCII without spaces",
            "redis.passwordFile: is '/nowhere', which cannot be read",
            "redis.pasword: is not a key of this configuration. Known here: caFile, clientCertificateFile, clientKeyFile, "
                + "configuration, keyPrefix, passwordFile.",
            "previousSigningKeyFiles: has '/nowhere', which cannot be read",
            "signingKeyFile: is '" + Path.Combine(folder.Path, "key") + "', whose content has no colon",
        })
        {
            Assert.Contains(expected, error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task One_key_on_two_logs_is_refused()
    {
        using var folder = new Folder();
        var (code, _, error) = await CheckAsync(folder, $$"""
            { "stateDirectory": "{{folder.Path}}", "logs": [{ "name": "a", "url": "https://a", "publicKey": "{{KeyA}}" }, { "name": "b",
                "url": "https://b", "publicKey": "{{KeyA}}" }] }
            """);

        Assert.Equal(2, code);
        Assert.Contains("logs: has one publicKey for 'a' and 'b'", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_weaker_than_it_looks_is_said()
    {
        using var folder = new Folder();
        var (code, _, error) = await CheckAsync(folder, $$"""
            {
              "stateDirectory": "{{folder.Path}}",
              "logs": [{ "name": "a", "url": "https://a", "publicKey": "{{KeyA}}", "inclusionProof": "optional" }, { "name": "b",
                  "url": "https://b", "publicKey": "{{KeyB}}" }],
              "policy": { "quorum": 1, "dissent": "veto" }
            }
            """);

        Assert.Equal(0, code);
        Assert.Contains("policy.quorum: 1 of 2 is at most half", error, StringComparison.Ordinal);
        Assert.Contains("policy.dissent: under \"veto\"", error, StringComparison.Ordinal);
        Assert.Contains("upstreams: is empty", error, StringComparison.Ordinal);
        Assert.Contains("'a' need not tie its map", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{", "which cannot be read")]
    [InlineData("[]", "which cannot be read")]
    [InlineData("{\"listen\": [], \"listen\": []}", "which cannot be read")]
    [InlineData("{\"logs\": \"alice\"}", "logs: is 'alice'; it must be a list of objects")]
    [InlineData("{\"redis\": \"localhost\"}", "redis: is 'localhost'; it must be an object")]
    [InlineData("{\"redis\": {\"keyPrefix\": \"x\"}}", "redis.configuration: is missing. Set it, for example to localhost:6379.")]
    [InlineData("{\"redis\": {\"configuration\": \"/run/redis.sock\"}}",
        "redis.configuration: has '/run/redis.sock', which is no host; a unix socket is unix:/path.")]
    [InlineData("{\"redis\": {\"configuration\": \"a:1\", \"caFile\": \"/x\"}}",
        "redis.caFile: is '/x', and redis.configuration does not say ssl=true: add that, or remove the key.")]
    [InlineData("{\"redis\": {\"configuration\": \"ssl=true\"}}", "redis.configuration: is 'ssl=true', which names no server")]
    [InlineData(
        "{\"redis\": {\"configuration\": \"a:1,tls=1\"}}", "redis.configuration: is 'a:1,tls=1', which is not host:port with settings")]
    [InlineData("{\"listen\": \"x\"}", "listen: is 'x'; it must be a list of texts")]
    [InlineData("{\"logs\": [{\"url\": \"unix:run/log\"}]}", "logs[0].url: is 'unix:run/log'; it must be an address")]
    [InlineData("{\"logs\": [{\"url\": \"unix://run/log\"}]}", "logs[0].url: is 'unix://run/log'; it must be an address")]
    [InlineData("{\"listen\": [\"https://127.0.0.1:8443\"]}", "tls: is missing, and listen has 'https://127.0.0.1:8443'.")]
    [InlineData("{\"listen\": [\"unix:s\"]}", "listen: has 'unix:s'; an address is")]
    [InlineData("{\"prioritty\": 3}", "prioritty: is not a key of this configuration; 'priority' is.")]
    [InlineData("{\"foo\": 3}", "foo: is not a key of this configuration. Known here:")]
    [InlineData("{\"policy\": {\"quorum\": {}, \"x\": {\"y\": 1}}}", "policy.x: is not a key")]
    public async Task What_is_no_configuration_at_all_is_said_to_be_none(string json, string expected)
    {
        using var folder = new Folder();
        var (code, _, error) = await CheckAsync(folder, json);

        Assert.Equal(2, code);
        Assert.Contains(expected, error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_byte_order_mark_before_the_text_is_passed_over()
    {
        using var folder = new Folder();
        var (code, output, _) = await CheckAsync(folder, $$"""{{'\ufeff'}}{ "stateDirectory": "{{folder.Path}}" }""");

        Assert.Equal((0, "valid for serve"), (code, output[..15]));
    }

    [Fact]
    public async Task A_signing_key_that_others_may_read_is_warned_of()
    {
        using var folder = new Folder();
        var key = folder.File("k");
        await Cli.RunAsync(["keygen", key]);
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        var (code, _, error) = await CheckAsync(folder, $$"""{ "stateDirectory": "{{folder.Path}}", "signingKeyFile": "{{key}}" }""");

        Assert.Equal(0, code);
        Assert.Contains($"warning: signingKeyFile: '{key}' can be read by other users", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Passwords_that_would_travel_readable_are_warned_of()
    {
        using var folder = new Folder();
        var file = folder.File("passwords", "# the build farm\nfarm:secret\n\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var (code, _, error) = await CheckAsync(folder, $$"""{ "stateDirectory": "{{folder.Path}}", "listen": ["http://127.0.0.1:1", "http://0.0.0.0:2"], "clients": { "basicFile": "{{file}}" } }""");

        Assert.Equal(0, code);
        Assert.Contains("warning: clients: passwords and tokens are sent unencrypted to "
            + "'http://0.0.0.0:2'", error, StringComparison.Ordinal);
        Assert.DoesNotContain("'http://127.0.0.1:1'", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_named()
    {
        var (code, _, error) = await Cli.RunAsync(["check-config", "--config", "/nowhere/x.json"]);

        Assert.Equal(2, code);
        Assert.Contains("--config: is '/nowhere/x.json', where there is no file.", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_environment_overrides_the_file()
    {
        using var folder = new Folder();
        var file = folder.File("c.json", $$"""{ "stateDirectory": "{{folder.Path}}", "priority": 20 }""");

        var (code, _, error) = await Cli.RunAsync(
            ["check-config", "--config", file], new() { ["TRUSTIXPROXY__PRIORITY"] = "high", ["TRUSTIXPROXY__LOGS__0__NAME"] = "alice" });

        Assert.Equal(2, code);
        Assert.Contains("priority: is 'high'", error, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("logs[0].url: is missing", error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Each_key_that_is_none_is_told_of_however_many_there_are()
    {
        using var folder = new Folder();
        var logs = new[] { "base64 of 32 bytes", "base64 of 32 bytes", new string('A', 43) + "=", new string('A', 43) + "=" }.Select((key, i) => $$"""{ "name": "l{{i}}", "url": "http://l", "publicKey": "{{key}}" }""");

        var (code, _, error) = await CheckAsync(folder, $$"""{ "stateDirectory": "{{folder.Path}}", "logs": [{{string.Join(',', logs)}}] }""");

        Assert.Equal(2, code);
        Assert.All(Enumerable.Range(0, 4), i => Assert.Contains($"logs[{i}].publicKey: is '", error, StringComparison.Ordinal));
        Assert.EndsWith("4 faults; nothing was started.\n", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_nodes_configuration_is_known_for_one()
    {
        using var folder = new Folder();
        var key = folder.File("k");
        await Cli.RunAsync(["keygen", key]);
        var good = await CheckAsync(folder, $$"""{ "stateDirectory": "{{folder.Path}}", "logs": [{ "name": "mine", "privateKeyFile": "{{key}}" }] }""");
        var bad = await CheckAsync(folder, $$"""
            {
              "stateDirectory": "{{folder.Path}}", "privateListen": ["tcp:1"], "flushInterval": "2:00:00", "historyWindow": "x",
                  "referenceTokens": "perhaps",
              "logs": [{ "name": "a/b", "privateKeyFile": "/nowhere", "writeTokens": ["x"] }, { "name": "mine",
                  "privateKeyFile": "{{key}}" }, { "name": "mine", "privateKeyFile": "{{key}}" }]
            }
            """);

        Assert.Equal((0, "valid for log serve: mine.\n"), (good.Code, good.Output));
        Assert.Equal(2, bad.Code);
        var tooShort = await CheckAsync(folder, $$"""{ "stateDirectory": "{{folder.Path}}", "flushInterval": "0:00:00.005", "logs": [{ "name": "mine", "privateKeyFile": "{{key}}" }] }""");
        Assert.Contains("flushInterval: is '00:00:00.0050000'; it must be 00:00:00,", tooShort.Error, StringComparison.Ordinal);
        foreach (
            var expected in new[] { "privateListen: has 'tcp:1'", "flushInterval: is", "historyWindow: is 'x'",
            "referenceTokens: is 'perhaps'", "logs[0].name: is 'a/b'", "logs[0].privateKeyFile: is '/nowhere'",
            "logs[0].writeTokens: has 'x'", "logs: has the name 'mine' 2 times", "logs: has one key for 'mine' and 'mine'" })
        {
            Assert.Contains(expected, bad.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("log {log}\n{w}1\n{w}2\n{w}3\ngroup q 3 w1 w2 w3\nquorum q\n", 0, "")]
    [InlineData("log {log}\n{w}1\nquorum w1\n", 0, "proofs 'dora'.policyFile: its quorum bears no lying witness")]
    [InlineData("log {log}\n{w}1\nquorum none\n", 2, "line 3: ")]
    [InlineData("log {log}\n{w}1\nquorum w2\n", 2, "line 3: ")]
    [InlineData("{w}1\nquorum w1\n", 2, "names no log")]
    [InlineData("", 2, "line 1: ")]
    [InlineData(null, 2, "which cannot be read")]
    public async Task The_policy_of_proof_files_is_read_and_refused_with_line_and_remedy(string? policy, int code, string message)
    {
        using var folder = new Folder();
        var text = policy?.Replace(
            "{log}", "log.alice.example/nix+5fe5670b+ASBgy/82gaQ0p0l9hqFd2sN5D+D+jWAGoogHysX/EVm/", StringComparison.Ordinal);
        for (byte i = 1; i <= 3; i++)
        {
            text = text?.Replace($"{{w}}{i}", new Testing.TestWitness($"w{i}", i).Line.TrimEnd(), StringComparison.Ordinal);
        }

        var file = text is null ? "/nowhere/policy" : folder.File("a.tlog-policy", text);
        var (exit, _, error) = await CheckAsync(folder, $$"""
            { "stateDirectory": "{{folder.Path}}/state", "upstreams": [{ "name": "nixos", "url": "https://cache.nixos.org" }],
              "proofs": [{ "name": "dora", "url": "https://dora.example/proofs", "policyFile": "{{file}}" }] }
            """);

        Assert.Equal(code, exit);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.Equal(code is 2, error.Contains("proofs[0].policyFile: ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("", true)]
    [InlineData(""", "publicKeys": ["9f164f44f92da3bc33fe3731eca84bf88fc19e838670d705c8eb3330a9ee5508"]""", false)]
    public async Task A_policy_of_Sigsum_without_its_keys_is_warned_of(string keys, bool isWarned)
    {
        using var folder = new Folder();
        var (code, _, error) = await CheckAsync(folder, $$"""
            { "stateDirectory": "{{folder.Path}}/state", "upstreams": [{ "name": "nixos", "url": "https://cache.nixos.org" }],
              "proofs": [{ "name": "dora", "url": "https://dora.example/proofs",
                "policyFile": "{{Path.GetFullPath("Vectors/sigsum/policy")}}"{{keys}} }] }
            """);

        Assert.True(code is 0, error);
        Assert.Equal(isWarned, error.Contains("names the witness 'w1' as Sigsum does, by 64 digits", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8WT0T5LaO8M/43MeyoS/iPwZ6DhnDXBcjrMzCp7lUI sigsum key", null)]
    [InlineData("9f164f44f92da3bc33fe3731eca84bf88fc19e838670d705c8eb3330a9ee5508", null)]
    [InlineData("9F164F44F92DA3BC33FE3731ECA84BF88FC19E838670D705C8EB3330A9EE5508", "which is not a usable Ed25519 key. Copy the line")]
    [InlineData("ssh-rsa AAAA", "which is not a usable Ed25519 key")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000", "which is not a usable Ed25519 key")]
    [InlineData("058ee4f00e5130cbf0018345d3cf9e0d87bc4b2dc8978fb3c11b5a3fe4b97958", "has the key '058ee4f0")]
    public async Task Keys_that_sign_for_a_log_of_Sigsum_are_read_in_its_forms(string key, string? fault)
    {
        using var folder = new Folder();
        var (_, _, error) = await CheckAsync(folder, $$"""
            { "stateDirectory": "{{folder.Path}}/state", "upstreams": [{ "name": "nixos", "url": "https://cache.nixos.org" }],
              "proofs": [{ "name": "dora", "url": "https://dora.example/proofs",
                "policyFile": "{{Path.GetFullPath("Vectors/sigsum/policy")}}",
                "publicKeys": ["{{key}}", "058ee4f00e5130cbf0018345d3cf9e0d87bc4b2dc8978fb3c11b5a3fe4b97958"] }] }
            """);

        Assert.Equal(fault is not null, error.Contains("proofs[0].publicKeys: has ", StringComparison.Ordinal));
        Assert.Contains(fault ?? "", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("log.example nix", "one", "logs[0].origin: is 'log.example nix'; it names the log to witnesses, so it has no spaces")]
    [InlineData("one", "log+example", "logs[1].origin: is 'log+example'; it names the log")]
    [InlineData("one", "one", "logs: has the origin 'one' for 'a' and 'b'; each log needs its own")]
    [InlineData("one", "one/mapheads", "logs: has the origin 'one/mapheads' for 'a' and 'b'; each log needs its own")]
    [InlineData("one", "two", null)]
    public async Task Each_log_needs_an_origin_that_can_name_its_key(string first, string second, string? fault)
    {
        using var folder = new Folder();
        var (one, two) = (folder.File("k1"), folder.File("k2"));
        await Cli.RunAsync(["keygen", one]);
        await Cli.RunAsync(["keygen", two]);

        var check = await CheckAsync(folder, $$"""
            {
              "stateDirectory": "{{folder.Path}}",
              "logs": [{ "name": "a", "privateKeyFile": "{{one}}", "origin": "{{first}}" },
                  { "name": "b", "privateKeyFile": "{{two}}", "origin": "{{second}}" }]
            }
            """);

        Assert.Equal(fault is null ? 0 : 2, check.Code);
        Assert.Contains(fault ?? "", check.Error, StringComparison.Ordinal);
        Assert.Equal(fault is null, check.Output.Contains("\nvkey one+", StringComparison.Ordinal));
        Assert.Equal(fault is null, check.Output.Contains("lists.witness-network.org", StringComparison.Ordinal));
    }

    private static Task<(int Code, string Output, string Error)> CheckAsync(Folder folder, string json) =>
        Cli.RunAsync(["check-config", "--config", folder.File("config.json", json)]);
}
