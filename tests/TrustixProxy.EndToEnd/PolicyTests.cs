using System.Text.Json.Nodes;
using TrustixProxy.Nix;

namespace TrustixProxy.EndToEnd;

/// <summary>What a real Nix client gets under policies that fit real life: signed caches, watching, reporting, exceptions, content
/// addresses, whole closures.</summary>
[Collection(NixLabCollection.Name)]
public sealed class PolicyTests(NixLab lab)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(3);

    [Fact]
    public async Task Two_signed_caches_alone_make_a_quorum_and_one_does_not()
    {
        var one = await lab.SignedCacheAsync("signed-one", "builder", lab.Top, lab.Outputs["spare"]);
        var two = await lab.SignedCacheAsync("signed-two", "builder", lab.Top);
        await using var first = await FaultyCache.StartAsync(one.Folder);
        await using var second = await FaultyCache.StartAsync(two.Folder);
        await using var proxy = await lab.StartProxyAsync(
            Deadline,
            config =>
            {
                config["logs"] = new JsonArray();
                config["caches"] = new JsonArray(Cache("one", first.Url, one.PublicKey), Cache("two", second.Url, two.PublicKey));
            },
            first.Url,
            second.Url);

        (await lab.RealiseAsync("signed", proxy.Url, proxy.PublicKey, lab.Top)).OrThrow();
        await lab.AssertVerifiedAsync("signed", lab.Closure);

        Assert.NotEqual(0, (await lab.RealiseAsync("signed", proxy.Url, proxy.PublicKey, lab.Outputs["spare"])).Code);
        Assert.Equal("undecided", (await proxy.AskAsync($"{lab.Outputs["spare"].Digest}.narinfo")).Decision);
    }

    [Fact]
    public async Task Watching_a_cache_refuses_what_a_log_proves_otherwise_and_serves_the_rest()
    {
        var (built, _) = await new Builder(lab, "watched").BuildAsync("watched-1.0");
        var signed = await lab.SignedCacheAsync("watch", "watched", built[0]);
        var rest = await lab.SignedCacheAsync("watch-rest", "builder", lab.Top);
        await using var cache = await FaultyCache.StartAsync(signed.Folder);
        await using var other = await FaultyCache.StartAsync(rest.Folder);
        await using var proxy = await lab.StartProxyAsync(
            Deadline,
            config =>
            {
                config["caches"] = new JsonArray(Cache("nixos", cache.Url, signed.PublicKey), Cache("rest", other.Url, rest.PublicKey));
                config["policy"] = JsonNode.Parse("""{ "rule": { "quorum": 1, "of": ["nixos", "rest"] }, "dissent": "veto" }""");
            },
            cache.Url,
            other.Url);
        await lab.SubmitForgedAsync("carol", built[0]);
        await Task.Delay(1100);

        (await lab.RealiseAsync("watch", proxy.Url, proxy.PublicKey, lab.Top)).OrThrow();

        Assert.NotEqual(0, (await lab.RealiseAsync("watch", proxy.Url, proxy.PublicKey, built[0])).Code);
        Assert.Equal((404, "conflict"), await proxy.AskAsync($"{built[0].Digest}.narinfo") is var answer ? (answer.Status, answer.Decision)
            : default);
    }

    [Fact]
    public async Task Report_mode_gives_the_client_what_it_had_before_and_enforcing_takes_it_away()
    {
        var (built, _) = await new Builder(lab, "reported").BuildAsync("reported-1.0");
        var signed = await lab.SignedCacheAsync("report", "reported", built[0]);
        await using var cache = await FaultyCache.StartAsync(signed.Folder);
        void Configure(JsonObject config, string mode)
        {
            config["caches"] = new JsonArray(Cache("nixos", cache.Url, signed.PublicKey));
            (config["mode"], config["fallback"]) = (mode, "nixos");
        }

        await using var report = await lab.StartProxyAsync(Deadline, config => Configure(config, "report"), cache.Url);
        await using var enforce = await lab.StartProxyAsync(Deadline, config => Configure(config, "enforce"), cache.Url);

        (await lab.RealiseAsync("report", report.Url, $"{report.PublicKey} {signed.PublicKey}", built[0])).OrThrow();
        await lab.AssertVerifiedAsync("report", built);
        var distrusting = await lab.RealiseAsync("report-2", report.Url, report.PublicKey, built[0]);
        var enforced = await lab.RealiseAsync("report-3", enforce.Url, $"{enforce.PublicKey} {signed.PublicKey}", built[0]);

        Assert.Equal("report", (await report.AskAsync($"{built[0].Digest}.narinfo")).Decision);
        Assert.NotEqual(0, distrusting.Code); // the proxy's own key vouches for nothing that was not agreed on
        Assert.NotEqual(0, enforced.Code);
    }

    [Fact]
    public async Task An_exception_lets_a_path_through_until_it_expires()
    {
        var (built, _) = await new Builder(lab, "excepted").BuildAsync("excepted-1.0");
        var signed = await lab.SignedCacheAsync("except", "excepted", built[0]);
        await using var cache = await FaultyCache.StartAsync(signed.Folder);
        void Configure(JsonObject config, string expires)
        {
            config["caches"] = new JsonArray(Cache("nixos", cache.Url, signed.PublicKey));
            config["policy"] = JsonNode.Parse($$"""{ "quorum": 2, "exceptions": [{ "match": "excepted-*", "accept": "cache:nixos", "reason": "not built elsewhere yet", "expires": "{{expires}}" }] }""");
        }

        await using var now = await lab.StartProxyAsync(Deadline, config => Configure(config, "2999-01-01"), cache.Url);
        await using var past = await lab.StartProxyAsync(Deadline, config => Configure(config, "2020-01-01"), cache.Url);

        (await lab.RealiseAsync("excepted", now.Url, now.PublicKey, built[0])).OrThrow();
        var refused = await lab.RealiseAsync("excepted-2", past.Url, past.PublicKey, built[0]);
        var answer = await past.AskAsync($"{built[0].Digest}.narinfo");

        Assert.Equal("excepted", (await now.AskAsync($"{built[0].Digest}.narinfo")).Decision);
        Assert.NotEqual(0, refused.Code);
        Assert.Contains("expired: the exception 'excepted-*'", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Content_addressed_paths_need_no_log_at_all()
    {
        var store = lab.Environment("content", []);
        var folder = Directory.CreateDirectory(Path.Combine(lab.Directory, "content")).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "flat.txt"), "flat contents");
        Directory.CreateDirectory(Path.Combine(folder, "tree"));
        await File.WriteAllTextAsync(Path.Combine(folder, "tree", "a"), "recursive contents");
        var (own, _) = await new Builder(lab, "content").BuildAsync("self-1.0"); // its one line names its own path
        var flat = await AddAsync("nix-store", "--add-fixed", "sha256", Path.Combine(folder, "flat.txt"));
        var flat512 = await AddAsync("nix-store", "--add-fixed", "sha512", Path.Combine(folder, "flat.txt"));
        var recursive = await AddAsync("nix-store", "--add-fixed", "--recursive", "sha256", Path.Combine(folder, "tree"));
        var text = await AddAsync(
            "nix-instantiate", "--eval", "--read-write-mode", "-E", "toString (builtins.toFile \"text-1.0\" \"text contents\")");
        var made = (await Shell.RunAsync("nix", ["store", "make-content-addressed", "--json", own[0].Absolute], store)).OrThrow();
        var self = PathOf(JsonNode.Parse(made.Output)!["rewrites"]![own[0].Absolute]!.ToString());
        StorePath[] all = [flat, flat512, recursive, text, self];
        (await Shell.RunAsync("nix",
            ["copy", "--to", $"file://{lab.CacheOf("content")}?compression=xz", .. all.Select(path => path.Absolute)], store)).OrThrow();
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("content"));
        await using var proxy = await lab.StartProxyAsync(
            Deadline, config => (config["logs"], config["policy"]) = (new JsonArray(), new JsonObject()), cache.Url);

        (await lab.RealiseAsync("content-client", proxy.Url, proxy.PublicKey, all)).OrThrow();

        await lab.AssertVerifiedAsync("content-client", all);
        foreach (var path in all)
        {
            Assert.Equal("content-addressed", (await proxy.AskAsync($"{path.Digest}.narinfo")).Decision);
        }

        async Task<StorePath> AddAsync(string command, params string[] arguments) =>
            PathOf((await Shell.RunAsync(command, arguments, store)).OrThrow().Output.Trim().Trim('"'));
    }

    [Fact]
    public async Task With_closure_one_undecided_dependency_holds_back_all_that_need_it()
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        var signed = await lab.SignedCacheAsync("leafless", "builder", lab.Outputs["spare"]);
        await using var leafless = await FaultyCache.StartAsync(signed.Folder);
        void Configure(JsonObject config, bool isClosure)
        {
            config["caches"] = new JsonArray(Cache("leafless", leafless.Url, signed.PublicKey));
            config["policy"] = JsonNode.Parse($$"""{ "quorum": 2, "closure": {{(isClosure ? "true" : "false")}}, "scopes": [{ "match": "leaf-*", "rule": { "quorum": 1, "of": ["leafless"] } }] }""");
        }

        await using var alone = await lab.StartProxyAsync(Deadline, config => Configure(config, false), cache.Url);
        await using var whole = await lab.StartProxyAsync(Deadline, config => Configure(config, true), cache.Url);

        var refused = await whole.AskAsync($"{lab.Top.Digest}.narinfo");

        Assert.Equal("agreed", (await alone.AskAsync($"{lab.Top.Digest}.narinfo")).Decision);
        Assert.Equal((404, "undecided"), (refused.Status, refused.Decision));
        Assert.Contains("leaf-1.0, which is refused (undecided): ", refused.Text, StringComparison.Ordinal);
        Assert.NotEqual(0, (await lab.RealiseAsync("closure-whole", whole.Url, whole.PublicKey, lab.Top)).Code);
    }

    private static JsonObject Cache(string name, string url, string publicKey) =>
        new() { ["name"] = name, ["url"] = url, ["publicKeys"] = new JsonArray(publicKey) };

    private static StorePath PathOf(string text) =>
        StorePath.TryParseAbsolute(text, out var path, out _) ? path : throw new FormatException(text);
}
