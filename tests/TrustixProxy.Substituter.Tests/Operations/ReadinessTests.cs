using System.Net;
using System.Text.Json;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Operations;

/// <summary><c>/readyz</c>: whether a decision can be made, and who is there for it.</summary>
public sealed class ReadinessTests
{
    [Fact]
    public async Task Ready_while_a_quorum_can_be_heard_and_not_after()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { HeadPollInterval = TimeSpan.FromMilliseconds(100) };
        await proxy.StartAsync();

        var all = await WaitAsync(proxy, answer => answer.Health.Values.All(health => health is "live"));
        await proxy.Log("carol").StopAsync();
        var two = await WaitAsync(proxy, answer => answer.Health["carol"] is "failing");
        await proxy.Log("bob").StopAsync();
        var one = await WaitAsync(proxy, answer => answer.Health["bob"] is "failing");

        Assert.Equal(HttpStatusCode.OK, all.Status);
        Assert.Equal((HttpStatusCode.OK, true), (two.Status, two.Body.GetProperty("ready").GetBoolean()));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, false), (one.Status, one.Body.GetProperty("ready").GetBoolean()));
        Assert.Equal("""{"match":"*","rule":"2 of 3","isReachable":false}""", one.Body.GetProperty("rules")[0].GetRawText());
        Assert.Contains("Unreachable", one.Body.GetProperty("logs")[1].GetProperty("state").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proxy_that_has_heard_nobody_yet_or_has_no_upstream_is_not_ready()
    {
        await using var deaf = await TestProxy.WithThreeLogsAsync();
        foreach (var log in new[] { "alice", "bob" })
        {
            deaf.Log(log).Lie = LogLie.Hang;
        }

        await deaf.StartAsync();
        await using var bare = new TestProxy();
        await bare.AddLogAsync("alice");
        await bare.StartAsync();

        var unheard = await AskAsync(deaf);
        var alone = await WaitAsync(bare, answer => answer.Health["alice"] is "live");

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "unseen"), (unheard.Status, unheard.Health["alice"]));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, alone.Status);
        Assert.True(alone.Body.GetProperty("rules")[0].GetProperty("isReachable").GetBoolean());
    }

    [Fact]
    public async Task A_proxy_that_asks_nobody_is_ready_while_it_serves_content_addressed_paths_and_lists_nothing_as_wanted()
    {
        var output = TestOutput.Make();
        await using var proxy = new TestProxy();
        (await proxy.AddUpstreamAsync("main")).Add(output);
        await proxy.StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(output.Path)).Status);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(proxy)).Status);
        Assert.Equal("{\"wanted\":[]}", await proxy.Client.GetStringAsync(new Uri(proxy.OperationsUrl, "/wanted")));
    }

    [Fact]
    public async Task Two_electors_of_one_operator_count_once()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.ChangeElector = elector => elector.Name is "bob" ? elector with { Operator = "alice" } : elector;
        proxy.Quorum = 2;
        proxy.Change = options => options with { HeadPollInterval = TimeSpan.FromMilliseconds(100) };
        await proxy.Log("carol").StopAsync();
        await proxy.StartAsync();

        var answer = await WaitAsync(proxy, answer => answer.Health is { } health && health["alice"] is "live" && health["bob"] is "live");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.Status);
    }

    private static async Task<Answer> WaitAsync(TestProxy proxy, Func<Answer, bool> isSo)
    {
        for (var i = 0; ; i++)
        {
            var answer = await AskAsync(proxy);
            if (isSo(answer) || i is 200)
            {
                return answer;
            }

            await Task.Delay(50);
        }
    }

    private static async Task<Answer> AskAsync(TestProxy proxy)
    {
        using var response = await proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, "/readyz"));
        Assert.Equal("application/json", response.Content.Headers.ContentType!.ToString());
        var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        return new Answer(response.StatusCode, body, body.GetProperty("logs").EnumerateArray()
            .ToDictionary(log => log.GetProperty("name").GetString()!, log => log.GetProperty("health").GetString()!));
    }

    private sealed record Answer(HttpStatusCode Status, JsonElement Body, Dictionary<string, string> Health);
}
