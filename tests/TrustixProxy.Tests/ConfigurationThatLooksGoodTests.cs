using TrustixProxy.Configuration;

namespace TrustixProxy.Tests;

/// <summary>Configurations that can be read, and would not do what they say: each is refused with key, value and remedy, or
/// heeded.</summary>
public sealed class ConfigurationThatLooksGoodTests
{
    private const string Key = "kqh3P79OdHQj0qrkZGC9FiuC1tQi1asdKdTmUkCUvWw=";

    [Theory]
    [InlineData("https://cache.example/sub?priority=10", null, "https://cache.example/sub", 10)]
    [InlineData("https://cache.example?priority=10", null, "https://cache.example/", 10)]
    [InlineData("https://cache.example/sub?priority=10", 7, "https://cache.example/sub", 7)]
    [InlineData("https://cache.example/sub/", null, "https://cache.example/sub/", 40)]
    [InlineData("https://cache.example/a%20b?priority=0", null, "https://cache.example/a%20b", 0)]
    public void The_priority_in_an_upstreams_url_is_heeded_where_no_key_says_another_and_the_path_stays(string url, int? key,
        string expected, int priority)
    {
        var (read, faults) = Serve($$"""{ "upstreams": [{ "name": "a", "url": "{{url}}" {{(key is null ? "" : $", \"priority\": {key}")}} }] }""");

        Assert.Empty(faults);
        Assert.Equal((expected, priority), (read!.Options.Upstreams[0].Url.AbsoluteUri, read.Options.Upstreams[0].Priority));
    }

    [Theory]
    [InlineData("""{ "upstreams": [{ "name": "a", "url": "https://c.example/s?trusted=true" }] }""", "upstreams[0].url: is 'https://c.example/s?trusted=true', whose query '?trusted=true' has more than priority=N")]
    [InlineData("""{ "upstreams": [{ "name": "a", "url": "https://c.example/s?priority=1&compression=xz" }] }""", "upstreams[0].url: is 'https://c.example/s?priority=1&compression=xz', whose query")]
    [InlineData("""{ "upstreams": [{ "name": "a", "url": "https://c.example/s?priority=low" }] }""", "upstreams[0].url: is")]
    [InlineData("""{ "upstreams": [{ "name": "a", "url": "https://c.example/s#x" }] }""", "upstreams[0].url: is 'https://c.example/s#x', whose fragment '#x' is never sent to a server")]
    [InlineData("""{ "upstreams": [{ "name": "a", "url": "file:///srv/cache?priority=x" }] }""", "upstreams[0].url: is")]
    [InlineData("""{ "upstreams": [{ "name": "a", "url": "https://c.example:0" }] }""", "upstreams[0].url: is 'https://c.example:0'; it must be an address")]
    [InlineData("""{ "upstreams": [{ "name": "a", "url": "https://c.example:65536" }] }""", "upstreams[0].url: is 'https://c.example:65536'; it must be an address")]
    [InlineData("""{ "caches": [{ "name": "a", "url": "https://c.example/s?priority=10" }] }""", "caches[0].url: is 'https://c.example/s?priority=10', whose query '?priority=10' is not used here; remove it.")]
    [InlineData("""{ "caches": [{ "name": "a", "url": "https://me:s3cret@c.example" }] }""", "caches[0].url: has a user name or password")]
    [InlineData("""{ "logs": [{ "name": "a", "url": "https://c.example?x=1" }] }""", "logs[0].url: is 'https://c.example?x=1', whose query")]
    [InlineData("""{ "logs": [{ "name": "a", "url": "https://me:s3cret@c.example" }] }""", "logs[0].url: has a user name or password")]
    [InlineData("""{ "logs": [{ "name": "a", "exportUrl": "https://c.example?x=1" }] }""", "logs[0].exportUrl: is 'https://c.example?x=1', whose query")]
    [InlineData("""{ "gossip": { "peers": ["http://me:s3cret@peer:8081"] } }""", "gossip.peers: has a user name or password")]
    [InlineData("""{ "gossip": { "peers": ["http://peer:8081?x"] } }""", "gossip.peers: has 'http://peer:8081?x', whose query")]
    [InlineData("""{ "gossip": { "peers": ["peer:8081"] } }""", "gossip.peers: has 'peer:8081'; it must be an address")]
    [InlineData("""{ "operations": { "otlp": "http://me:s3cret@collector:4318" } }""", "operations.otlp: has a user name or password")]
    [InlineData("""{ "operations": { "hosts": ["https://proxy.example"] } }""", "operations.hosts: has 'https://proxy.example'; a host is a name")]
    [InlineData("""{ "narStore": { "pinned": ["a/b"] } }""", "narStore.pinned: has 'a/b', which matches no name")]
    [InlineData("""{ "proxy": "http://me:s3cret@proxy:3128" }""", "proxy: has a user name or password")]
    [InlineData("""{ "proxy": "ftp://me:s3cret@proxy" }""", "proxy: is '…@proxy'; it must be http://host:port")]
    [InlineData("""{ "proxyCredentialsFile": "/nowhere" }""", "proxyCredentialsFile: is '/nowhere'")]
    [InlineData("""{ "listen": ["http://127.0.0.1:8080/path"] }""", "listen: has 'http://127.0.0.1:8080/path'; an address is")]
    public void What_would_be_lost_or_shown_is_refused_with_key_value_and_remedy(string json, string expected)
    {
        var faults = Serve(json).Faults;

        Assert.Contains(faults, fault => $"{fault}".StartsWith(expected, StringComparison.Ordinal));
        Assert.DoesNotContain(faults, fault => $"{fault}".Contains("s3cret", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://127.0.0.1:9000", "http://127.0.0.1:9000", true)]
    [InlineData("http://0.0.0.0:9000", "http://127.0.0.1:9000", true)]
    [InlineData("http://127.0.0.1:9000", "http://[::]:9000", true)]
    [InlineData("http://localhost:9000", "http://127.0.0.1:9000", true)]
    [InlineData("http://[::1]:9000", "http://localhost:9000", true)]
    [InlineData("http://127.0.0.1:9000", "http://127.0.0.2:9000", false)]
    [InlineData("http://127.0.0.1:9000", "http://[::1]:9000", false)]
    [InlineData("http://127.0.0.1:9000", "http://127.0.0.1:9001", false)]
    [InlineData("http://127.0.0.1:0", "http://127.0.0.1:0", false)]
    public void Two_listeners_at_one_address_are_refused(string listen, string operations, bool isRefused)
    {
        var faults = Serve($$"""{ "listen": ["{{listen}}"], "operations": { "listen": ["{{operations}}"] } }""").Faults;

        Assert.Equal(isRefused, faults.Any(fault =>
            $"{fault}".StartsWith($"operations.listen: has '{operations}', where 'listen' already listens ('{listen}').",
                StringComparison.Ordinal)));
        Assert.Equal(isRefused, faults.Count > 0);
    }

    [Fact]
    public void One_unix_socket_for_two_listeners_of_a_log_node_is_refused()
    {
        var faults = Read("""{ "listen": ["unix:/run/log.sock"], "privateListen": ["unix:/run/log.sock"] }""", section => LogServeConfiguration.Read(section, isCheck: true)).Faults;

        Assert.Contains(faults, fault => $"{fault}".StartsWith("privateListen: has 'unix:/run/log.sock', where 'listen' already listens",
            StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://127.0.0.1:9000", "http://127.0.0.1:9000", true)]
    [InlineData("http://127.0.0.1:9000", "http://localhost:9000/nix", true)]
    [InlineData("http://localhost:9000", "http://[::1]:9000", true)]
    [InlineData("http://0.0.0.0:9000", "http://127.0.0.9:9000", true)]
    [InlineData("http://0.0.0.0:9000", "http://HOSTNAME:9000", true)]
    [InlineData("http://[::]:9000", "http://HOSTNAME:9000", true)]
    [InlineData("http://0.0.0.0:9000", "http://192.0.2.77:9000", false)]
    [InlineData("http://127.0.0.1:9000", "http://127.0.0.1:9001", false)]
    [InlineData("http://127.0.0.1:9000", "http://cache.example:9000", false)]
    public void A_proxy_that_would_ask_itself_is_refused(string listen, string url, bool isRefused)
    {
        var address = url.Replace("HOSTNAME", Environment.MachineName, StringComparison.Ordinal);
        var lists = new[] { ("upstreams", "url"), ("caches", "url"), ("logs", "url"), ("logs", "exportUrl") };
        foreach (var (list, key) in lists)
        {
            var faults = Serve($$"""{ "listen": ["{{listen}}"], "{{list}}": [{ "name": "a", "{{key}}": "{{address}}" }] }""").Faults;
            Assert.Equal(isRefused, faults.Any(fault => fault.Key == $"{list}[0].{key}"
                && fault.Message.Contains($"where this proxy itself listens ('{listen}')", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public void A_path_that_is_too_long_for_a_unix_socket_is_refused_wherever_one_stands()
    {
        var (fits, tooLong) = ($"/{new string('x', 106)}", $"/{new string('x', 107)}");
        var faults = Serve($$"""{ "stateDirectory": "{{tooLong}}", "listen": ["unix:{{fits}}", "unix:{{tooLong}}"], "logs": [{ "name": "a", "url": "unix:{{tooLong}}" }] }""").Faults;

        Assert.Single(faults, fault => fault.Key is "listen"
            && fault.Message.StartsWith($"has 'unix:{tooLong}', which has 108 bytes; the path of a unix socket has at most 107.",
            StringComparison.Ordinal));
        Assert.Contains(faults, fault => fault.Key is "logs[0].url"
            && fault.Message.Contains("which has 108 bytes", StringComparison.Ordinal));
        Assert.Contains(faults, fault => fault.Key is "stateDirectory"
            && fault.Message.Contains("is too long: the path of the unix socket in it has at most 107 bytes", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000080")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000080")]
    [InlineData("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")]
    [InlineData("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85")]
    [InlineData("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")]
    [InlineData("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")]
    [InlineData("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")]
    public void A_key_that_anyone_can_sign_for_is_refused_where_it_is_read(string hex)
    {
        var key = Convert.ToBase64String(Convert.FromHexString(hex));
        var serve = Serve($$"""{ "logs": [{ "name": "l", "url": "https://l", "publicKey": "{{key}}" }], "caches": [{ "name": "c", "url": "https://c", "publicKeys": ["c-1:{{key}}"] }] }""").Faults;
        var node = Read($$"""{ "logs": [{ "name": "l", "privateKeyFile": "/nowhere", "writeTokens": ["t:{{key}}"] }] }""", section => LogServeConfiguration.Read(section, isCheck: true)).Faults;

        foreach (var (faults, name) in new[] { (serve, "logs[0].publicKey"), (serve, "caches[0].publicKeys"),
            (node, "logs[0].writeTokens") })
        {
            Assert.Contains(faults, fault => fault.Key == name && fault.Message.Contains(key, StringComparison.Ordinal)
                && fault.Message.Contains("ask its owner for the right key", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Blanks_and_newlines_around_a_public_key_mean_nothing_as_for_nix_and_one_key_stands_once()
    {
        var good = Serve($$"""{ "logs": [{ "name": "l", "url": "https://l", "publicKey": "QUR9i6xPiigzO/JAfcX082KT2P+Ajipf2H65fEqq+6E=\n" }], "caches": [{ "name": "c", "url": "https://c", "publicKeys": [" c-1:{{Key}} \n"] }] }""");
        var twice = Serve($$"""{ "caches": [{ "name": "c", "url": "https://c", "publicKeys": ["c-1:{{Key}}", "c-2:{{Key}}"] }] }""");

        Assert.Empty(good.Faults);
        Assert.Contains(twice.Faults, fault => $"{fault}" is "caches[0].publicKeys: has the key of 'c-1' twice; remove one.");
    }

    [Theory]
    [InlineData("", "it is empty. A configuration is a JSON object")]
    [InlineData("hello", "cannot be read: ")]
    [InlineData("\"text\"", "cannot be read: ")]
    [InlineData("{\"a\": \"\\ud800\"}", "cannot be read: ")]
    [InlineData("{\"\\ud800\": 1}", "cannot be read: ")]
    public async Task What_is_no_configuration_file_is_told_by_every_verb_that_takes_one(string content, string expected)
    {
        using var folder = new Folder();
        var file = folder.File("config.json", content);
        foreach (var verb in new[] { new[] { "check-config" }, ["serve"], ["log", "serve"], ["publish"] })
        {
            var (code, _, error) = await Cli.RunAsync([.. verb, "--config", file]);
            Assert.Equal(2, code);
            Assert.Contains($"--config: is '{file}', which", error, StringComparison.Ordinal);
            Assert.Contains(expected, error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("/etc", "it is a folder. Give the JSON file in it.")]
    [InlineData("/dev/zero", "it has more than 16 MiB.")]
    [InlineData("/dev/null", "it is empty.")]
    [InlineData("", "--config: is ''")]
    public async Task What_is_no_file_at_all_is_told(string path, string expected)
    {
        var (code, _, error) = await Cli.RunAsync(["check-config", "--config", path]);

        Assert.Equal(2, code);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proxy_variable_that_names_none_is_a_fault_and_a_good_one_is_not()
    {
        using var folder = new Folder();
        var file = folder.File("config.json", $$"""{ "stateDirectory": "{{folder.Path}}" }""");
        var bad = await Cli.RunAsync(["check-config", "--config", file], new() { ["https_proxy"] = "ftp://me:s3cret@proxy" });
        var good = await Cli.RunAsync(["check-config", "--config", file], new() { ["https_proxy"] = "http://me:s3cret@proxy:3128" });

        Assert.Equal((2, 0), (bad.Code, good.Code));
        Assert.Contains("https_proxy: is '…@proxy' in the environment; a proxy is host:port", bad.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", bad.Error + good.Output + good.Error, StringComparison.Ordinal);
    }

    private static (ServeConfiguration? Options, IReadOnlyList<Fault> Faults) Serve(string json) =>
        Read(json, section => ServeConfiguration.Read(section, isCheck: true));

    private static (T? Options, IReadOnlyList<Fault> Faults) Read<T>(string json, Func<Section, T?> read)
        where T : class
    {
        using var folder = new Folder();
        var state = json.Contains("stateDirectory", StringComparison.Ordinal) ? "" : $"\"stateDirectory\": \"{folder.Path}\", ";
        return ConfigurationFile.Read(folder.File("config.json", $"{{ {state}{json.TrimStart()[1..]}"), read);
    }
}
