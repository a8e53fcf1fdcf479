using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Upstreams;

/// <summary>Which paths an upstream is asked for, how many at once, and that a proxy does not wait for itself.</summary>
public sealed class UpstreamScopeTests
{
    [Fact]
    public async Task One_that_excepts_a_name_is_not_asked_for_it_and_for_others_is()
    {
        var (secret, open) = (TestOutput.Make("secret-plan"), TestOutput.Make("open-plan"));
        await using var proxy = await StartAsync(upstream => upstream with { Except = ["secret-*"] });
        await proxy.Publish(secret, "alice", "bob").Publish(open, "alice", "bob").StartAsync();

        await proxy.NarAsync(await proxy.NarInfoAsync(secret));
        await proxy.NarAsync(await proxy.NarInfoAsync(open));

        Assert.DoesNotContain(
            proxy.Upstream("limited").Requests, request => request.Contains($"{secret.Path.Digest}", StringComparison.Ordinal));
        Assert.Contains(proxy.Upstream("limited").Requests, request => request.Contains($"{open.Path.Digest}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_that_matches_a_name_is_asked_by_the_digest_when_nobody_else_gives_a_name()
    {
        var (wanted, other) = (TestOutput.Make("tool-1"), TestOutput.Make("other-1"));
        await using var proxy = await StartAsync(upstream => upstream with { Match = ["tool-*"] });
        proxy.Publish(wanted, "alice", "bob").Publish(other, "alice", "bob").Upstream().Lie = UpstreamLie.Absent;
        await proxy.StartAsync();

        await proxy.NarInfoAsync(wanted);
        var answer = await proxy.AskAsync(other.Path);

        Assert.Equal((HttpStatusCode.NotFound, "no-upstream"), (answer.Status, answer.Decision)); // it has it, and is not asked for it
    }

    [Fact]
    public async Task No_more_requests_are_under_way_than_it_takes_and_all_are_answered()
    {
        await using var proxy = await StartAsync(upstream => upstream with { Concurrency = 2 });
        var (underway, most) = (0, 0);
        proxy.Upstream("limited").Intercept = async context =>
        {
            if (context.Request.Path == "/nix-cache-info")
            {
                return false; // a probe is sent beside the others
            }

            InterlockedMax(ref most, Interlocked.Increment(ref underway));
            await Task.Delay(50);
            Interlocked.Decrement(ref underway);
            return false;
        };
        await proxy.StartAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => proxy.AskAsync(TestOutput.PathOf($"missing-{i}"))));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.NotFound, answer.Status));
        Assert.Equal(12, proxy.Upstream("limited").Requests.Count);
        Assert.Equal(2, most);
    }

    [Fact]
    public async Task One_that_holds_all_requests_that_it_takes_is_probed_beside_them_and_is_away()
    {
        await using var proxy = await StartAsync(upstream => upstream with { Concurrency = 1 });
        proxy.Upstream("limited").Lie = UpstreamLie.Hang;
        await proxy.StartAsync();

        var start = Stopwatch.GetTimestamp();
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => proxy.AskAsync(TestOutput.PathOf($"missing-{i}"))));

        Assert.All(answers, answer => Assert.Contains("limited=away", answer.Text, StringComparison.Ordinal));
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, proxy.Options!.Deadline / 2);
    }

    [Fact]
    public async Task A_proxy_that_is_its_own_upstream_does_not_wait_for_itself()
    {
        var deadline = TimeSpan.FromSeconds(20);
        await using var proxy = new TestProxy();
        await proxy.AddUpstreamAsync("main");
        var address = $"http://127.0.0.1:{FreePort()}";
        proxy.Change = options => options with
        {
            Deadline = deadline,
            FrontDoor = new FrontDoorOptions { Listen = [address] },
            Upstreams = [.. options.Upstreams, new UpstreamOptions("itself", new Uri(address), 1)],
        };
        await proxy.StartAsync();

        var start = Stopwatch.GetTimestamp();
        var answer = await proxy.AskAsync(TestOutput.PathOf("missing"));

        Assert.Equal((HttpStatusCode.NotFound, "no-upstream"), (answer.Status, answer.Decision));
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, deadline / 2);
    }

    [Fact]
    public async Task Two_proxies_that_are_each_others_upstream_do_not_wait_for_each_other()
    {
        const string Theirs = "trustix-proxy/0.9 (0123456789abcdef)";
        await using var proxy = new TestProxy();
        await proxy.AddUpstreamAsync("other");
        proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(20) };
        var asked = new System.Collections.Concurrent.ConcurrentQueue<string>();
        proxy.Upstream("other").Intercept = async context =>
        {
            if (!context.Request.Path.Value!.EndsWith(".narinfo", StringComparison.Ordinal))
            {
                return false;
            }

            var theirs = context.Request.Headers.UserAgent.ToString();
            asked.Enqueue(theirs);
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, context.Request.Path.Value));
            // it passes our mark on, as we do theirs
            request.Headers.TryAddWithoutValidation("User-Agent", $"{Theirs} {theirs[theirs.IndexOf('(', StringComparison.Ordinal)..]}");
            using var answer = await proxy.Client.SendAsync(request);
            context.Response.StatusCode = (int)answer.StatusCode;
            return true;
        };
        await proxy.StartAsync();

        var start = Stopwatch.GetTimestamp();
        var own = await proxy.AskAsync(TestOutput.PathOf("missing"));
        using var forTheirs = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, $"{TestOutput.PathOf("another").Digest}.narinfo"));
        forTheirs.Headers.TryAddWithoutValidation("User-Agent", Theirs);
        using var passed = await proxy.Client.SendAsync(forTheirs);

        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound), (own.Status, passed.StatusCode));
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, proxy.Options!.Deadline / 2);
        Assert.Equal([false, true], asked.Select(agent => agent.Contains("(0123456789abcdef)", StringComparison.Ordinal)));
    }

    private static async Task<TestProxy> StartAsync(Func<UpstreamOptions, UpstreamOptions> change)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("limited");
        proxy.Change = options => options with
        {
            Deadline = TimeSpan.FromSeconds(10),
            Upstreams = [options.Upstreams[0], change(options.Upstreams[1])],
        };
        return proxy;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (var known = Volatile.Read(ref most); known < value; known = Volatile.Read(ref most))
        {
            Interlocked.CompareExchange(ref most, value, known);
        }
    }
}
