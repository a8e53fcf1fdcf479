using TrustixProxy.Testing;

namespace TrustixProxy.Container;

/// <summary>The tour of <c>docker/README.md</c>: what its services do together, and what happens when one of them ends.</summary>
[Collection(TourCollection.Name)]
public sealed class TourTests(Tour tour)
{
    private const string Proxy = "http://127.0.0.1:8080", Operations = "http://127.0.0.1:8081";

    [ContainerFact]
    public async Task Each_service_runs_and_those_with_a_health_check_are_healthy()
    {
        foreach (var service in new[] { "alice", "bob", "carol", "redis", "proxy" })
        {
            await Eventually.UntilAsync(
                async () => await tour.StateAsync(service, "{{.State.Status}} {{.State.Health.Status}}") is "running healthy", 60);
        }

        Assert.Equal("running", await tour.StateAsync("publisher", "{{.State.Status}}"));
        Assert.Equal("exited 0", await tour.StateAsync("setup", "{{.State.Status}} {{.State.ExitCode}}"));
        Assert.Equal("200", (await tour.GetAsync($"{Proxy}/nix-cache-info")).Status);
        Assert.Equal("200", (await tour.GetAsync($"{Operations}/")).Status);
        Assert.Equal("200", (await tour.GetAsync($"{Operations}/readyz")).Status);
    }

    [ContainerFact]
    public async Task The_health_check_fails_where_nobody_listens() => Assert.NotEqual(0, (await tour.Engine.RunAsync(
        "exec", "trustix-proxy-1", "healthcheck", "8099")).Code);

    [ContainerFact]
    public async Task A_nix_on_this_machine_installs_what_two_builders_published_and_not_what_one_did()
    {
        var (agreed, alone) = (TestOutput.Make("agreed-1.0"), TestOutput.Make("alone-1.0"));
        await tour.PublishAsync(agreed, "alice", "bob");
        await tour.PublishAsync(alone, "alice");

        var installed = await InstallAsync(agreed);
        var refused = await InstallAsync(alone);
        var answer = await tour.GetAsync($"{Proxy}/{alone.Path.Digest}.narinfo");

        Assert.True(installed.Code is 0, $"{installed}");
        Assert.NotEqual(0, refused.Code);
        Assert.Equal("404", answer.Status);
        Assert.Contains("alice=", answer.Text, StringComparison.Ordinal);
    }

    [ContainerFact]
    public async Task Decisions_are_kept_in_redis_and_made_without_it()
    {
        var (before, after) = (TestOutput.Make("before-1.0"), TestOutput.Make("after-1.0"));
        await tour.PublishAsync(before, "alice", "carol");
        await tour.PublishAsync(after, "alice", "carol");

        Assert.Equal("200", (await tour.GetAsync($"{Proxy}/{before.Path.Digest}.narinfo")).Status);
        await Eventually.UntilAsync(async () => (await tour.ComposeAsync("exec", "-T", "redis", "redis-cli", "keys", "*"))
            .Contains($"{before.Path.Digest}", StringComparison.Ordinal));
        await tour.ComposeAsync("stop", "--timeout", "0", "redis");
        Assert.Equal("200", (await tour.GetAsync($"{Proxy}/{before.Path.Digest}.narinfo")).Status);
        Assert.Equal("200", (await tour.GetAsync($"{Proxy}/{after.Path.Digest}.narinfo")).Status);
        await tour.ComposeAsync("start", "redis");
        await Eventually.UntilAsync(async () =>
            (await tour.GetAsync($"{Operations}/metrics")).Text.Contains("\ntrustix_proxy_redis_up 1\n", StringComparison.Ordinal));
    }

    [ContainerFact]
    public async Task What_was_decided_outlives_a_crash_of_the_proxy_and_a_new_container()
    {
        var output = TestOutput.Make("kept-1.0");
        await tour.PublishAsync(output, "bob", "carol");
        var first = await tour.GetAsync($"{Proxy}/{output.Path.Digest}.narinfo");
        Assert.Equal("200", first.Status);

        var process = await tour.StateAsync("proxy", "{{.State.Pid}}");
        (await tour.Engine.SignalAsync("KILL", process)).OrThrow();
        await Eventually.UntilAsync(async () => await tour.StateAsync("proxy", "{{.State.Status}} {{.RestartCount}}") is "running 1");
        await tour.ComposeAsync("stop", "bob");
        await Eventually.UntilAsync(async () => (await tour.GetAsync($"{Proxy}/nix-cache-info")).Status is "200");
        var second = await tour.GetAsync($"{Proxy}/{output.Path.Digest}.narinfo");
        await tour.ComposeAsync("start", "bob");
        await tour.ComposeAsync("rm", "--stop", "--force", "proxy");
        await tour.ComposeAsync("up", "--detach", "proxy");
        await Eventually.UntilAsync(async () => (await tour.GetAsync($"{Proxy}/nix-cache-info")).Status is "200");
        var third = await tour.GetAsync($"{Proxy}/{output.Path.Digest}.narinfo");

        Assert.Equal([Signature(first), Signature(first)], [Signature(second), Signature(third)]);
    }

    [ContainerFact]
    public async Task The_proxy_and_the_logs_end_well_when_they_are_told_to()
    {
        foreach (var service in new[] { "carol", "publisher", "proxy" })
        {
            await tour.ComposeAsync("stop", service);
            Assert.Equal("exited 0", await tour.StateAsync(service, "{{.State.Status}} {{.State.ExitCode}}"));
            await tour.ComposeAsync("start", service);
        }

        await Eventually.UntilAsync(async () => (await tour.GetAsync($"{Operations}/readyz")).Status is "200", 60);
    }

    private static string Signature((string Status, string Text) narinfo) =>
        narinfo.Text.Split('\n').Single(line => line.StartsWith("Sig: ", StringComparison.Ordinal));

    private async Task<Result> InstallAsync(TestOutput output)
    {
        var client = Path.Combine(tour.Directory, $"client-{Guid.NewGuid():n}");
        var settings = $"build-users-group =\nexperimental-features = nix-command\n{await tour.NixConfAsync()}";
        return await tour.Engine.RunBesideAsync(
            new Dictionary<string, string> { ["NIX_CONFIG"] = settings, ["NIX_CONF_DIR"] = tour.Directory, ["HOME"] = tour.Directory },
            "nix-store", "--store", client, "--realise", output.Path.Absolute);
    }
}
