using System.Diagnostics;
using System.Text.Json.Nodes;

namespace TrustixProxy.EndToEnd;

/// <summary>The main job: a real Nix client that trusts the proxy's key alone gets what two of three logs agree on, and nothing
/// else.</summary>
[Collection(NixLabCollection.Name)]
public sealed class SubstitutionTests(NixLab lab)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(3);

    [Theory]
    [InlineData("none")]
    [InlineData("xz")]
    [InlineData("zstd")]
    [InlineData("bzip2")]
    public async Task A_closure_is_substituted_and_every_path_verifies(string compression)
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf(compression));
        await using var proxy = await lab.StartProxyAsync(Deadline, cache.Url);
        var store = $"closure-{compression}";

        (await lab.RealiseAsync(store, proxy.Url, proxy.PublicKey, lab.Top)).OrThrow();

        Assert.True(lab.Closure.Count >= 20);
        await lab.AssertVerifiedAsync(store, lab.Closure);
        Assert.Contains(cache.Requests, request => request.EndsWith(compression is "none" ? ".nar" : compression is "bzip2" ? ".bz2"
            : compression is "zstd" ? ".zst" : ".xz", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_closure_that_was_served_once_is_substituted_while_every_upstream_is_down_also_after_the_proxy_was_killed()
    {
        var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var proxy = await lab.StartProxyAsync(
            Deadline, configuration => configuration["narStore"] = new JsonObject { ["maxSize"] = "1GiB" }, cache.Url);
        (await lab.RealiseAsync("kept-1", proxy.Url, proxy.PublicKey, lab.Top)).OrThrow();
        await cache.DisposeAsync();

        (await lab.RealiseAsync("kept-2", proxy.Url, proxy.PublicKey, lab.Top)).OrThrow();
        await proxy.RestartAsync();
        (await lab.RealiseAsync("kept-3", proxy.Url, proxy.PublicKey, lab.Top)).OrThrow();

        await lab.AssertVerifiedAsync("kept-2", lab.Closure);
        await lab.AssertVerifiedAsync("kept-3", lab.Closure);
    }

    [Fact]
    public async Task Nix_copy_path_info_and_verify_work_against_the_proxy()
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var proxy = await lab.StartProxyAsync(Deadline, cache.Url);

        (await lab.ClientAsync("copy", "", proxy.PublicKey, "nix", "copy", "--from", proxy.Url, lab.Top.Absolute)).OrThrow();
        (await lab.ClientAsync("copy", "", proxy.PublicKey, "nix", "store", "verify", "-r", lab.Top.Absolute)).OrThrow();
        var info = (await lab.ClientAsync("copy", "", "", "nix", "path-info", "--store", proxy.Url, "-r", lab.Top.Absolute)).OrThrow();

        Assert.Equal(lab.Closure.Count, info.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public async Task A_path_on_which_no_two_agree_is_refused_and_nix_goes_on_to_the_next_substituter()
    {
        var split = lab.Outputs["split"];
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("none"));
        await using var proxy = await lab.StartProxyAsync(Deadline, cache.Url);
        await lab.SubmitAsync("alice", [split]);
        await lab.SubmitForgedAsync("carol", split);
        await Task.Delay(1000);

        var alone = await lab.RealiseAsync("split-1", proxy.Url, proxy.PublicKey, split);
        var (status, decision, _) = await proxy.AskAsync($"{split.Digest}.narinfo");
        var next = await lab.RealiseAsync("split-2", $"{proxy.Url} {cache.Url}?trusted=1", proxy.PublicKey, split);

        Assert.NotEqual(0, alone.Code);
        Assert.False(await lab.IsValidAsync("split-1", split));
        Assert.Equal((404, "conflict"), (status, decision));
        Assert.Equal(0, next.OrThrow().Code);
    }

    [Fact]
    public async Task A_path_that_one_log_alone_knows_is_refused()
    {
        var lone = lab.Outputs["lone"];
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("none"));
        await using var proxy = await lab.StartProxyAsync(Deadline, cache.Url);
        await lab.SubmitAsync("bob", [lone]);
        await Task.Delay(1000);

        var result = await lab.RealiseAsync("lone", proxy.Url, proxy.PublicKey, lone);

        Assert.NotEqual(0, result.Code);
        Assert.False(await lab.IsValidAsync("lone", lone));
        Assert.Equal("undecided", (await proxy.AskAsync($"{lone.Digest}.narinfo")).Decision);
    }

    [Fact]
    public async Task A_path_published_a_second_ago_is_served_though_heads_are_polled_every_30_seconds()
    {
        var fresh = lab.Outputs["fresh"];
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var proxy = await lab.StartProxyAsync(Deadline, cache.Url);
        await Task.Delay(1500);
        await lab.SubmitAsync("alice", [fresh]);
        await lab.SubmitAsync("carol", [fresh]);
        await Task.Delay(1000);

        (await lab.RealiseAsync("fresh", proxy.Url, proxy.PublicKey, fresh)).OrThrow();

        await lab.AssertVerifiedAsync("fresh", [fresh]);
    }

    [Fact]
    public async Task One_dead_log_is_not_noticed_and_two_are_a_404_within_the_deadline()
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var proxy = await lab.StartProxyAsync(Deadline, cache.Url);
        try
        {
            await lab.KillLogAsync("carol");
            (await lab.RealiseAsync("dead-1", proxy.Url, proxy.PublicKey, lab.Top)).OrThrow();
            await lab.AssertVerifiedAsync("dead-1", lab.Closure);

            await lab.KillLogAsync("bob");
            var big = lab.Outputs["big"];
            var timer = Stopwatch.StartNew();
            var answer = await proxy.AskAsync($"{big.Digest}.narinfo");
            Assert.InRange(timer.Elapsed, Deadline * 0.9, Deadline + TimeSpan.FromSeconds(0.5));
            Assert.Equal((404, "undecided"), (answer.Status, answer.Decision));
            Assert.NotEqual(0, (await lab.RealiseAsync("dead-2", proxy.Url, proxy.PublicKey, big)).Code);
        }
        finally
        {
            await lab.ReviveAsync("bob");
            await lab.ReviveAsync("carol");
        }
    }

    [Fact]
    public async Task A_proxy_killed_between_narinfo_and_nar_is_not_noticed()
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("zstd"));
        await using var proxy = await lab.StartProxyAsync(Deadline, cache.Url);
        (await lab.ClientAsync("restart", proxy.Url, proxy.PublicKey, "nix", "path-info", "--store", proxy.Url, "-r", lab.Top.Absolute))
            .OrThrow();

        await proxy.RestartAsync();
        (await lab.RealiseAsync("restart", proxy.Url, proxy.PublicKey, lab.Top)).OrThrow();

        await lab.AssertVerifiedAsync("restart", lab.Closure);
    }

    [Fact]
    public async Task A_nar_that_is_cut_on_its_way_to_the_client_is_resumed_by_range()
    {
        var big = lab.Outputs["big"];
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("none"));
        await using var proxy = await lab.StartProxyAsync(Deadline, cache.Url);
        await using var relay = CuttingRelay.Start(new Uri(proxy.Url), cutAt: 1_500_000);

        (await lab.RealiseAsync("cut", relay.Url, proxy.PublicKey, big)).OrThrow();

        Assert.Equal(1, relay.Cuts);
        await lab.AssertVerifiedAsync("cut", [big]);
    }
}
