using System.Diagnostics;
using System.Net;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Delivery;

/// <summary>NARs that an upstream does not give: what that costs, and what it says of the upstream.</summary>
public sealed class MissingNarTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_nar_that_is_gone_costs_two_requests_in_all_whether_its_narinfo_is_known_or_not(bool isKnown)
    {
        var (output, next) = (TestOutput.Make(), TestOutput.Make("next"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob", "carol").Publish(next, "alice", "bob", "carol").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        if (!isKnown)
        {
            await proxy.RestartAsync();
        }

        proxy.Upstream().Lie = UpstreamLie.NoFile;
        var before = proxy.Upstream().Requests.Count;
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(narInfo.Url)).Status);

        await proxy.NarInfoAsync(next); // the next decision takes at least as long as one in the background
        await Task.Delay(300);
        var requests = proxy.Upstream().Requests.Skip(before)
            .Where(request => !request.Contains($"{next.Path.Digest}", StringComparison.Ordinal)).ToList();
        Assert.InRange(requests.Count, 1, 2);
        Assert.Single(requests, request => request.Contains("/nar/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_nar_that_is_gone_costs_two_round_trips()
    {
        var trip = TimeSpan.FromMilliseconds(400);
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(10) };
        await proxy.Publish(output, "alice", "bob", "carol").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        await proxy.RestartAsync();
        proxy.Upstream().Lie = UpstreamLie.NoFile;
        proxy.Upstream().Intercept = async _ =>
        {
            await Task.Delay(trip);
            return false;
        };

        var watch = Stopwatch.StartNew();
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(narInfo.Url)).Status);

        Assert.InRange(watch.Elapsed / trip, 1.9, 2.9);
    }

    [Fact]
    public async Task Where_one_upstream_has_it_no_more_the_next_narinfo_leads_to_the_other()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("spare");
        proxy.Publish(output, "alice", "bob", "carol");
        proxy.Upstream("spare").Add(output, "xz");
        await proxy.StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Lie = UpstreamLie.NoFile;

        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));

        await UntilAsync(async () => (await proxy.NarInfoAsync(output)).Compression is "xz");
    }

    [Fact]
    public async Task Nars_that_are_missing_again_and_again_make_an_upstream_failing_until_it_gives_one()
    {
        var outputs = Enumerable.Range(0, 3).Select(i => TestOutput.Make($"missing-{i}")).ToList();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        outputs.ForEach(output => proxy.Publish(output, "alice", "bob", "carol"));
        await proxy.StartAsync();
        proxy.Upstream().Lie = UpstreamLie.NoFile;
        foreach (var output in outputs)
        {
            await proxy.AskAsync((await proxy.NarInfoAsync(output)).Url); // narinfos come meanwhile, and change nothing
        }

        Assert.Contains("nar-missing", await ReadyAsync(proxy), StringComparison.Ordinal);
        proxy.Upstream().Lie = UpstreamLie.None;
        Assert.Equal(outputs[0].Nar, await proxy.NarAsync(await proxy.NarInfoAsync(outputs[0])));
        await UntilAsync(async () => !(await ReadyAsync(proxy)).Contains("nar-missing", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(500, "http-500")]
    [InlineData(0, "connection-reset")]
    public async Task Failed_requests_for_nars_count_as_failures_of_the_upstream(int status, string cause)
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob", "carol").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Intercept = context =>
        {
            if (!context.Request.Path.StartsWithSegments("/nar"))
            {
                return Task.FromResult(false);
            }

            context.Response.StatusCode = status is 0 ? 200 : status;
            if (status is 0)
            {
                context.Abort();
            }

            return Task.FromResult(true);
        };

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(narInfo.Url)).Status);

        Assert.Contains(cause, await ReadyAsync(proxy), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_leaves_says_nothing_of_the_upstream()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob", "carol").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        var gone = new TaskCompletionSource();
        proxy.Upstream().Intercept = async context =>
        {
            if (!context.Request.Path.StartsWithSegments("/nar"))
            {
                return false;
            }

            using var left = context.RequestAborted.Register(() => gone.TrySetResult());
            await gone.Task;
            return true;
        };
        using (var leaving = new CancellationTokenSource())
        {
            var asking = proxy.Client.GetAsync(new Uri(proxy.Url, narInfo.Url), leaving.Token);
            await UntilAsync(() => proxy.Upstream().Requests.Any(request => request.Contains("/nar/", StringComparison.Ordinal)));
            await leaving.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        }

        await gone.Task;
        Assert.Matches("\"name\":\"main\",[^}]*\"state\":\"live\"", await ReadyAsync(proxy));
    }

    [Fact]
    public void A_run_of_missing_nars_outlives_narinfos_and_probes_and_its_first_cause_is_kept()
    {
        var clock = new ManualTime();
        var health = new UpstreamHealth("main", clock, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        for (var i = 0; i < UpstreamHealth.Run; i++)
        {
            health.ReportAnswer();
            Assert.Equal(UpstreamState.Live, health.Status.State);
            health.ReportNar(new UpstreamFault(UpstreamFailure.NarMissing));
        }

        health.ReportAnswer();
        health.ReportProbe(null);
        Assert.Equal(UpstreamState.Failing, health.Status.State);
        Assert.Equal(UpstreamFailure.NarMissing, health.Status.Cause!.Kind);
        health.ReportNar(null);
        Assert.Equal(UpstreamState.Live, health.Status.State);
    }

    private static Task<string> ReadyAsync(TestProxy proxy) =>
        proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, "/readyz"))
        .ContinueWith(answer => answer.Result.Content.ReadAsStringAsync(), TaskScheduler.Default).Unwrap();
}
