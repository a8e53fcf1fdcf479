using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>Logs that die, hang and come back.</summary>
public sealed class AvailabilityTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task One_dead_log_of_three_is_not_noticed()
    {
        var outputs = Enumerable.Range(0, 5).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var proxy = await StartAsync(outputs);
        await proxy.Log("carol").StopAsync();

        var timer = Stopwatch.StartNew();
        foreach (var output in outputs)
        {
            await proxy.NarInfoAsync(output);
        }

        Assert.True(timer.Elapsed < Deadline, $"{timer.Elapsed}");
    }

    [Fact]
    public async Task Two_dead_logs_of_three_are_a_404_at_the_deadline()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync([output]);
        await proxy.Log("bob").StopAsync();
        await proxy.Log("carol").StopAsync();

        var timer = Stopwatch.StartNew();
        var answer = await proxy.AskAsync(output.Path);

        Assert.InRange(timer.Elapsed, Deadline * 0.9, Deadline + TimeSpan.FromSeconds(0.5));
        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (answer.Status, answer.Decision));
        Assert.Equal($"2 of 3 needed: alice={output.Statement.NarHash}, bob=silent(unreachable), carol=silent(unreachable)\n", answer.Text);
    }

    [Fact]
    public async Task A_log_that_comes_back_before_the_deadline_still_votes()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(20) };
        await proxy.Publish(output, "alice", "bob", "carol").StartAsync();
        await proxy.Log("bob").StopAsync();
        await proxy.Log("carol").StopAsync();
        var asking = proxy.AskAsync(output.Path);
        await Task.Delay(300);

        await proxy.Log("bob").RestartAsync();

        Assert.Equal("agreed", (await asking).Decision);
    }

    [Fact]
    public async Task Behind_an_open_breaker_a_log_is_silent_at_once_unless_that_puts_the_quorum_out_of_reach()
    {
        var (split, agreed) = (TestOutput.Make("split"), TestOutput.Make("agreed"));
        await using var proxy = await StartAsync([agreed, split], "alice");
        proxy.Quorum = 1;
        proxy.Publish(split, "bob");
        await proxy.RestartAsync();
        await proxy.Log("carol").StopAsync();
        for (var i = 0; i < 8; i++)
        {
            await proxy.AskAsync(TestOutput.Make($"x{i}") is var x && proxy.Publish(x, "alice") is not null ? x.Path : null!);
        }

        // A quorum of one could still have a rival, so without the breaker this would take until the deadline.
        var timer = Stopwatch.StartNew();
        Assert.Equal("agreed", (await proxy.AskAsync(split.Path)).Decision);
        Assert.True(timer.Elapsed < Deadline * 0.5, $"{timer.Elapsed}");
    }

    [Fact]
    public async Task A_log_that_is_known_only_by_a_dead_address_delays_no_start_and_no_answer()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Log("carol").StopAsync();
        var timer = Stopwatch.StartNew();
        await proxy.Publish(output, "alice", "bob").StartAsync();

        await proxy.NarInfoAsync(output);

        Assert.True(timer.Elapsed < TimeSpan.FromSeconds(2), $"{timer.Elapsed}");
    }

    [Fact]
    public async Task With_everything_down_at_the_start_the_proxy_starts_and_heals_by_itself()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { Deadline = Deadline };
        proxy.Publish(output, "alice", "bob");
        await Task.WhenAll(
            proxy.Log("alice").StopAsync(), proxy.Log("bob").StopAsync(), proxy.Log("carol").StopAsync(), proxy.Upstream().StopAsync());
        await proxy.StartAsync();
        Assert.Equal("no-upstream", (await proxy.AskAsync(output.Path)).Decision);

        await Task.WhenAll(proxy.Log("alice").RestartAsync(), proxy.Log("bob").RestartAsync(), proxy.Upstream().RestartAsync());
        await Task.Delay(2500); // the breakers' time

        Assert.Equal("agreed", (await proxy.AskAsync(output.Path)).Decision);
    }

    [Fact]
    public async Task An_agreement_outlives_that_no_upstream_has_the_nar_for_a_while()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync([output]);
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Intercept = context =>
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.FromResult(true);
        };
        await proxy.AskAsync(narInfo.Url); // the upstream has lost it, so that everyone is asked again
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(output.Path)).Decision is "no-upstream");

        proxy.Upstream().Intercept = null;
        await Task.WhenAll(proxy.Log("alice").StopAsync(), proxy.Log("bob").StopAsync(), proxy.Log("carol").StopAsync());

        await Eventually.UntilAsync(async () => (await proxy.AskAsync(output.Path)).Decision is "agreed");
    }

    [Fact]
    public async Task Without_logs_nothing_is_agreed_on()
    {
        var output = TestOutput.Make();
        await using var proxy = new TestProxy();
        (await proxy.AddUpstreamAsync("main")).Add(output);
        await proxy.StartAsync();

        Assert.Equal("undecided", (await proxy.AskAsync(output.Path)).Decision);
    }

    private static async Task<TestProxy> StartAsync(IEnumerable<TestOutput> outputs, params string[] logs)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { Deadline = Deadline };
        foreach (var output in outputs)
        {
            proxy.Publish(output, logs.Length is 0 ? ["alice", "bob", "carol"] : logs);
        }

        return await proxy.StartAsync();
    }
}
