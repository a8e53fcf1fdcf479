using System.Net;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>Signed caches as electors, exceptions, report mode and closures, through the whole proxy.</summary>
public sealed class PolicyModeTests
{
    private static readonly NixSecretKey CacheKey = NixSecretKey.Generate("cache-1"), OtherKey = NixSecretKey.Generate("other-1");

    [Fact]
    public async Task Two_signed_caches_agree_without_any_log()
    {
        var output = TestOutput.Make();
        await using var proxy = new TestProxy();
        await AddCacheAsync(proxy, "one", CacheKey, output);
        await AddCacheAsync(proxy, "two", OtherKey, output);
        await proxy.StartAsync();

        var narInfo = await proxy.NarInfoAsync(output);

        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
    }

    [Fact]
    public async Task A_narinfo_signed_by_another_key_by_none_or_for_another_path_is_no_vote()
    {
        var output = TestOutput.Make();
        await using var proxy = new TestProxy();
        await AddCacheAsync(proxy, "one", CacheKey, output);
        var two = await AddCacheAsync(proxy, "two", OtherKey, output);
        two.Add(output, "none", text => Signed(text, CacheKey));
        await proxy.StartAsync();

        var answer = await proxy.AskAsync(output.Path);

        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (answer.Status, answer.Decision));
        Assert.Contains("two=silent(no-signature)", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watching_serves_the_caches_word_until_a_log_proves_another_output_and_a_log_alone_never_vouches()
    {
        var (quiet, disputed, unsigned) = (TestOutput.Make("quiet"), TestOutput.Make("disputed"), TestOutput.Make("unsigned"));
        await using var proxy = await WatchAsync(quiet, disputed);
        proxy.Upstream("nixos").Add(unsigned);
        proxy.Log("alice").Publish(disputed.Forge().Statement);
        proxy.Log("alice").Publish(unsigned.Statement);
        proxy.Log("bob").Publish(unsigned.Statement);
        await proxy.StartAsync();

        await proxy.NarInfoAsync(quiet);
        var answer = await proxy.AskAsync(disputed.Path);

        Assert.Equal((HttpStatusCode.NotFound, "conflict"), (answer.Status, answer.Decision));
        Assert.StartsWith("1 of 1 needed: alice=sha256:", answer.Text, StringComparison.Ordinal);
        Assert.Contains("(not counted)", answer.Text, StringComparison.Ordinal);
        Assert.Equal("undecided", (await proxy.AskAsync(unsigned.Path)).Decision);
    }

    [Fact]
    public async Task An_exception_takes_the_caches_word_where_builders_differ_until_it_expires()
    {
        var output = TestOutput.Make("linux-6.1");
        await using var proxy = await DisputedAsync(output);
        var until = DateTimeOffset.UtcNow.AddDays(1);
        proxy.ChangePolicy = policy => With(policy, new PolicyException("linux-*", "nixos", null, "has a build date", until));
        await proxy.StartAsync();

        var answer = await proxy.AskAsync(output.Path);
        await proxy.NarInfoAsync(output);
        proxy.ChangePolicy = policy =>
            With(policy, new PolicyException("linux-*", "nixos", null, "has a build date", DateTimeOffset.UtcNow.AddSeconds(-1)));
        await proxy.RestartAsync();
        var expired = await proxy.AskAsync(output.Path);

        Assert.Equal((HttpStatusCode.OK, "excepted"), (answer.Status, answer.Decision));
        Assert.Equal((HttpStatusCode.NotFound, "conflict"), (expired.Status, expired.Decision));
        Assert.Contains("; expired: the exception 'linux-*' accepts cache:nixos until ", expired.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_record_outlives_its_exception()
    {
        var output = TestOutput.Make("linux-6.1");
        await using var proxy = await DisputedAsync(output);
        var until = DateTimeOffset.UtcNow.AddSeconds(2);
        proxy.ChangePolicy = policy => With(policy, new PolicyException("linux-*", "nixos", null, "soon over", until));
        await proxy.StartAsync();

        Assert.Equal("excepted", (await proxy.AskAsync(output.Path)).Decision);
        await Task.Delay(TimeSpan.FromSeconds(2.2));

        Assert.Equal("conflict", (await proxy.AskAsync(output.Path)).Decision);
    }

    [Fact]
    public async Task An_exception_for_a_hash_takes_the_claim_that_an_elector_proves_and_nothing_else()
    {
        var (output, other) = (TestOutput.Make("linux-6.1"), TestOutput.Make("linux-6.2"));
        await using var proxy = await DisputedAsync(output);
        proxy.Publish(other, "alice").Log("bob").Publish(other.Forge().Statement);
        proxy.ChangePolicy = policy =>
            With(policy,
            new PolicyException("linux-*", null, output.Statement.NarHash, "audited by hand", DateTimeOffset.UtcNow.AddDays(1)));
        await proxy.StartAsync();

        Assert.Equal("excepted", (await proxy.AskAsync(output.Path)).Decision);
        Assert.Equal("conflict", (await proxy.AskAsync(other.Path)).Decision);
    }

    [Fact]
    public async Task Report_mode_serves_what_the_fallback_has_signed_with_its_signature_and_says_what_would_have_been_decided()
    {
        var (agreed, disputed, unknown) = (TestOutput.Make("agreed"), TestOutput.Make("disputed"), TestOutput.Make("unknown"));
        await using var proxy = await WatchAsync(agreed, disputed);
        proxy.ChangePolicy = policy => new Policy(policy.Electors, 2) { Fallback = "nixos" };
        proxy.Publish(agreed, "alice", "bob").Publish(unknown, "alice");
        proxy.Upstream("nixos").Add(agreed, "none", text => Signed(text, CacheKey));
        proxy.Log("alice").Publish(disputed.Forge().Statement);
        proxy.Log("bob").Publish(disputed.Forge().Statement);
        await proxy.StartAsync();

        await proxy.NarInfoAsync(agreed);
        var answer = await proxy.AskAsync(disputed.Path);
        var narInfo = NarInfo.TryParse(System.Text.Encoding.ASCII.GetBytes(answer.Text), out var read, out _) ? read
            : throw new InvalidOperationException(answer.Text);

        Assert.Equal((HttpStatusCode.OK, "report"), (answer.Status, answer.Decision));
        Assert.True(CacheKey.PublicKey.Verify(narInfo.Fingerprint, Assert.Single(narInfo.Signatures)));
        Assert.Equal(disputed.Nar, await proxy.NarAsync(narInfo));
        Assert.Equal((HttpStatusCode.NotFound, "undecided"),
            (await proxy.AskAsync(unknown.Path) is var refused ? refused.Status : default, refused.Decision));
    }

    [Fact]
    public async Task With_closure_a_path_is_served_only_when_all_that_it_needs_is_decided()
    {
        var leaf = TestOutput.Make("leaf");
        var middle = TestOutput.Make("middle", 100, leaf.Path);
        var top = TestOutput.Make("top", 100, middle.Path);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.ChangePolicy = policy => new Policy(policy.Electors, 2) { RequiresClosure = true };
        await proxy.Publish(top, "alice", "bob").Publish(middle, "alice", "carol").Publish(leaf, "alice").StartAsync();

        var answer = await proxy.AskAsync(top.Path);
        proxy.Log("bob").Publish(leaf.Statement);
        await proxy.RestartAsync(); // no refusal outlives the process

        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (answer.Status, answer.Decision));
        Assert.Contains($"the closure needs {leaf.Path}, which is refused (undecided): 2 of 3 needed: alice=sha256:", answer.Text,
            StringComparison.Ordinal);
        var narInfo = await proxy.NarInfoAsync(top);
        Assert.Equal(top.Nar, await proxy.NarAsync(narInfo));
    }

    [Fact]
    public async Task A_path_that_refers_to_itself_is_no_endless_closure()
    {
        var path = TestOutput.PathOf("self");
        var output = TestOutput.At(path, [1, 2, 3], path);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.ChangePolicy = policy => new Policy(policy.Electors, 2) { RequiresClosure = true };
        await proxy.Publish(output, "alice", "bob").StartAsync();

        await proxy.NarInfoAsync(output);
    }

    private static Policy With(Policy policy, PolicyException exception) =>
        new(policy.Electors.Where(elector => elector is Elector.Log).Concat(policy.Electors.OfType<Elector.Cache>()),
        3)
        { Exceptions = [exception] };

    /// <summary>Logs alice and bob, who differ, and the signed cache "nixos", which sides with alice; three would have to agree.</summary>
    private static async Task<TestProxy> DisputedAsync(TestOutput output)
    {
        var proxy = await WatchAsync(output);
        proxy.Log("alice").Publish(output.Statement);
        proxy.Log("bob").Publish(output.Forge().Statement);
        return proxy;
    }

    /// <summary>Logs alice and bob and the signed cache "nixos" under the preset that watches it.</summary>
    private static async Task<TestProxy> WatchAsync(params TestOutput[] outputs)
    {
        var proxy = new TestProxy();
        await proxy.AddLogAsync("alice");
        await proxy.AddLogAsync("bob");
        await AddCacheAsync(proxy, "nixos", CacheKey, outputs);
        proxy.ChangePolicy = policy => new Policy(policy.Electors, new Rule(1, ["nixos"]), Dissent.Veto);
        return proxy;
    }

    private static async Task<FakeUpstream> AddCacheAsync(TestProxy proxy, string name, NixSecretKey key, params TestOutput[] outputs)
    {
        var cache = await proxy.AddUpstreamAsync(name);
        foreach (var output in outputs)
        {
            cache.Add(output, "none", text => Signed(text, key));
        }

        proxy.Caches.Add(new CacheOptions(new Elector.Cache(name, name, [key.PublicKey]), cache.Url));
        return cache;
    }

    private static string Signed(string text, NixSecretKey key)
    {
        Assert.True(NarInfo.TryParse(System.Text.Encoding.ASCII.GetBytes(text), out var narInfo, out _));
        return (narInfo with { Signatures = [key.Sign(narInfo.Fingerprint)] }).ToString();
    }
}
