using System.Text.Json.Nodes;

namespace TrustixProxy.Clients;

/// <summary>Each version of Nix gets from the proxy what the logs agree on, and nothing else.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class SubstitutionTests(ClientLab lab)
{
    [Theory]
    [EachClient("none", "xz", "zstd")]
    public async Task A_closure_is_substituted_and_every_path_verifies(string version, string compression)
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf(compression));
        await using var proxy = await lab.StartProxyAsync(cache.Url);
        var machine = Machine.Substituting(version, $"closure-{compression}", proxy.Url, proxy.PublicKey);

        (await lab.RunAsync(machine, "nix-store", "-r", lab.Outputs["top"].Absolute)).OrThrow();

        Assert.True(lab.Closure.Count >= 12);
        await lab.AssertVerifiedAsync(machine, lab.Closure);
    }

    [Theory]
    [EachClient]
    public async Task A_refused_path_comes_from_the_next_substituter(string version)
    {
        var lone = lab.Outputs["lone"];
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var proxy = await lab.StartProxyAsync(cache.Url);
        var alone = Machine.Substituting(version, "refused", proxy.Url, proxy.PublicKey);
        var next = Machine.Substituting(version, "next", $"{proxy.Url} {cache.Url}?trusted=1", proxy.PublicKey);

        var answer = await proxy.AskAsync($"{lone.Digest}.narinfo");
        var refused = await lab.RunAsync(alone, "nix-store", "-r", lone.Absolute);
        (await lab.RunAsync(next, "nix-store", "-r", lone.Absolute)).OrThrow();

        Assert.Equal((404, "undecided"), (answer.Status, answer.Decision));
        Assert.Contains("alice", answer.Text, StringComparison.Ordinal);
        Assert.True(refused.Code is 1 or 100, refused.ToString());
        Assert.False(await lab.IsValidAsync(alone, lone));
        await lab.AssertVerifiedAsync(next, [lone]);
    }

    [Theory]
    [EachClient]
    public async Task A_refused_path_is_built_where_nobody_else_has_it(string version)
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var proxy = await lab.StartProxyAsync(cache.Url);
        var machine = Machine.Substituting(version, "builds", proxy.Url, proxy.PublicKey);

        var built = (await lab.RunAsync(machine, "nix-build", lab.Expression, "-A", "lone", "--no-out-link")).OrThrow();

        Assert.Equal(lab.Outputs["lone"].Absolute, built.Output.Trim());
        Assert.Contains("building '", built.Error, StringComparison.Ordinal);
    }

    [Theory]
    [EachClient]
    public async Task A_nar_that_is_cut_on_its_way_to_the_client_goes_on_by_range(string version)
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("none"));
        await using var proxy = await lab.StartProxyAsync(cache.Url);
        await using var relay = CuttingRelay.Start(new Uri(proxy.Url), cutAt: 1_500_000);
        var machine = Machine.Substituting(version, "cut", relay.Url, proxy.PublicKey);

        (await lab.RunAsync(machine, "nix-store", "-r", lab.Outputs["big"].Absolute)).OrThrow();

        Assert.Equal(1, relay.Cuts);
        await lab.AssertVerifiedAsync(machine, [lab.Outputs["big"]]);
    }

    [Theory]
    [EachClient]
    public async Task A_nar_that_an_upstream_cuts_arrives_whole(string version)
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("none"));
        await using var relay = CuttingRelay.Start(new Uri(cache.Url), cutAt: 1_500_000);
        await using var proxy = await lab.StartProxyAsync(relay.Url);
        var machine = Machine.Substituting(version, "upstream-cut", proxy.Url, proxy.PublicKey);

        (await lab.RunAsync(machine, "nix-store", "-r", lab.Outputs["big"].Absolute)).OrThrow();

        Assert.Equal(1, relay.Cuts);
        await lab.AssertVerifiedAsync(machine, [lab.Outputs["big"]]);
    }

    [Theory]
    [EachClient]
    public async Task Nothing_is_copied_into_the_proxy(string version)
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var proxy = await lab.StartProxyAsync(cache.Url);
        var machine = Machine.Substituting(version, "copies-to", $"{cache.Url}?trusted=1", "");
        (await lab.RunAsync(machine, "nix-store", "-r", lab.Outputs["lone"].Absolute)).OrThrow();

        var copied = await lab.RunAsync(machine, "nix", "copy", "--to", proxy.Url, lab.Outputs["lone"].Absolute);

        Assert.Equal(1, copied.Code);
        Assert.Contains("405", copied.Error, StringComparison.Ordinal);
    }

    [Theory]
    [EachClient]
    public async Task Nix_copies_from_the_proxy_and_lists_what_it_has(string version)
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var proxy = await lab.StartProxyAsync(cache.Url);
        var machine = Machine.Substituting(version, "copies", "", proxy.PublicKey);
        var top = lab.Outputs["top"].Absolute;

        var listed = (await lab.RunAsync(machine, "nix", "path-info", "--store", proxy.Url, "-r", top)).OrThrow();
        var described = (await lab.RunAsync(machine, "nix", "path-info", "--store", proxy.Url, "--json", top)).OrThrow();
        (await lab.RunAsync(machine, "nix", "copy", "--from", proxy.Url, top)).OrThrow();
        (await lab.RunAsync(machine, "nix", "store", "verify", "-r", top)).OrThrow();

        Assert.Equal(
            lab.Closure.Select(path => path.Absolute).Order(), listed.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order());
        Assert.Contains("proxy-clients-1", JsonNode.Parse(described.Output)!.ToJsonString(), StringComparison.Ordinal);
        await lab.AssertVerifiedAsync(machine, lab.Closure);
    }
}
