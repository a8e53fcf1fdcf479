using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Upstreams;

/// <summary>What a path costs that nobody has, while some upstreams fail: one answer of each is enough, and who is away has not got
/// it.</summary>
public sealed class MissTests
{
    /// <summary>Far more than any answer below takes, so that a test fails on waiting and on nothing else.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20), AtOnce = Deadline / 2;

    public static TheoryData<string, string> Dead() => new()
    {
        { "refused", "connection-refused" },
        { "nameless", "name-resolution" },
        { "silent", "silent" },
    };

    [Theory]
    [MemberData(nameof(Dead))]
    public async Task A_dead_upstream_is_not_waited_for_and_the_refusal_names_it_and_its_first_cause(string kind, string cause)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0); // accepts, and never answers
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        if (kind is "refused")
        {
            listener.Stop();
        }

        await using var proxy = await StartAsync(new Uri(kind is "nameless" ? "http://cache.invalid/" : $"http://127.0.0.1:{port}/"));

        Assert.InRange(await MissAsync(proxy, "first"), TimeSpan.Zero, AtOnce);
        await Eventually.UntilAsync(async () => (await StateOfAsync(proxy, "dead")).GetProperty("state").GetString() is "away");
        Assert.InRange(await MissAsync(proxy, "second"), TimeSpan.Zero, AtOnce);

        var answer = await proxy.AskAsync(TestOutput.PathOf("third"));
        Assert.Equal((HttpStatusCode.NotFound, "no-upstream"), (answer.Status, answer.Decision));
        Assert.Matches($@"failing upstreams: dead=away since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ \({cause}", answer.Text);
    }

    public static TheoryData<int, string> Answers() => new()
    {
        { 200, "<html>This domain is for sale</html>" },
        { 200, "" },
        { 400, "" },
        { 401, "" },
        { 403, "" },
        { 404, "" },
        { 410, "" },
        { 418, "" },
        { 451, "" },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task One_answer_is_one_answer(int status, string body)
    {
        await using var proxy = await StartAsync(null);
        proxy.Upstream().Intercept = async context =>
        {
            context.Response.StatusCode = status;
            await context.Response.WriteAsync(body);
            return true;
        };

        Assert.InRange(await MissAsync(proxy, "first"), TimeSpan.Zero, AtOnce);
        Assert.InRange(await MissAsync(proxy, "second"), TimeSpan.Zero, AtOnce);

        Assert.Equal(2, proxy.Upstream().Requests.Count);
    }

    [Fact]
    public async Task A_body_in_an_encoding_that_nobody_knows_is_an_answer_too()
    {
        await using var proxy = await StartAsync(null);
        proxy.Upstream().Intercept = context =>
        {
            context.Response.Headers.ContentEncoding = "rot13";
            return Task.FromResult(true);
        };

        var answer = await proxy.AskAsync(TestOutput.PathOf("first"));

        Assert.Contains("main=unknown-encoding", answer.Text, StringComparison.Ordinal);
        Assert.Single(proxy.Upstream().Requests);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(408)]
    [InlineData(425)]
    public async Task A_status_that_says_nothing_of_the_path_is_tried_three_times_at_most(int status)
    {
        await using var proxy = await StartAsync(null);
        proxy.Upstream().Intercept = context =>
        {
            context.Response.StatusCode = status;
            return Task.FromResult(true);
        };

        var answer = await proxy.AskAsync(TestOutput.PathOf("first"));

        Assert.Contains($"http-{status}", answer.Text, StringComparison.Ordinal);
        Assert.InRange(proxy.Upstream().Requests.Count, 1, 3);
    }

    [Fact]
    public async Task Useless_answers_in_a_row_show_as_failing_with_what_helps()
    {
        await using var proxy = await StartAsync(null);
        proxy.Upstream().Intercept = context =>
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return Task.FromResult(true);
        };

        foreach (var name in new[] { "first", "second", "third" })
        {
            await MissAsync(proxy, name);
        }

        await Eventually.UntilAsync(async () =>
        {
            await MissAsync(proxy, "another");
            var state = await StateOfAsync(proxy, "main");
            return state.GetProperty("state").GetString() is "failing"
                && state.GetProperty("why").GetString()?.Contains("http-401: it requires credentials", StringComparison.Ordinal) is true;
        });
    }

    [Fact]
    public async Task A_narinfo_that_takes_long_is_waited_for_while_probes_are_answered()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(6) };
        await proxy.Publish(output, "alice", "bob").StartAsync();
        proxy.Upstream().Intercept = async context =>
        {
            // more than half of the deadline
            await Task.Delay(TimeSpan.FromSeconds(context.Request.Path.Value!.EndsWith(".narinfo", StringComparison.Ordinal) ? 3.5 : 0));
            return false;
        };

        Assert.Equal("agreed", (await proxy.AskAsync(output.Path)).Decision);
        Assert.True(proxy.Upstream().Probes > 0);
    }

    [Fact]
    public async Task An_upstream_comes_back_by_itself_and_pages_and_readyz_follow()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        await proxy.Upstream().StopAsync();

        await Eventually.UntilAsync(async () =>
        {
            await proxy.AskAsync(output.Path);
            return (await StateOfAsync(proxy, "main")).GetProperty("state").GetString() is "away";
        });
        var away = await StateOfAsync(proxy, "main");
        var page = await proxy.Client.GetStringAsync(proxy.OperationsUrl);
        await proxy.Upstream().RestartAsync();
        // without any request
        await Eventually.UntilAsync(async () => (await StateOfAsync(proxy, "main")).GetProperty("state").GetString() is "live");

        // the refusal lives for two seconds
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(output.Path)).Decision is "agreed");
        Assert.False(away.GetProperty("isUp").GetBoolean());
        Assert.StartsWith("connection-re", away.GetProperty("why").GetString(), StringComparison.Ordinal);
        Assert.True(away.GetProperty("since").GetDateTimeOffset() > DateTimeOffset.UnixEpoch);
        Assert.Contains(away.GetProperty("why").GetString()!, page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_and_doctor_are_told_how_each_upstream_did()
    {
        await using var proxy = await StartAsync(new Uri("http://cache.invalid/"));
        using var explainer = new Explainer(proxy.Options!);

        await explainer.ExplainAsync(TestOutput.PathOf("first").Digest, null);

        Assert.Equal("live", explainer.Upstreams.Single(upstream => upstream.Name is "main").State);
        Assert.Contains("(name-resolution: check its host name", explainer.Upstreams.Single(upstream => upstream.Name is "dead").ToString(),
            StringComparison.Ordinal);
    }

    /// <summary>A proxy with a living upstream "main", and where an address is given a second one, "dead".</summary>
    private static async Task<TestProxy> StartAsync(Uri? dead)
    {
        var proxy = new TestProxy();
        await proxy.AddUpstreamAsync("main");
        proxy.Change = options => options with
        {
            Deadline = Deadline,
            Upstreams = dead is null ? options.Upstreams : [.. options.Upstreams, new UpstreamOptions("dead", dead, 1)],
        };
        return await proxy.StartAsync();
    }

    private static async Task<TimeSpan> MissAsync(TestProxy proxy, string name)
    {
        var start = Stopwatch.GetTimestamp();
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(TestOutput.PathOf(name))).Status);
        return Stopwatch.GetElapsedTime(start);
    }

    private static async Task<JsonElement> StateOfAsync(TestProxy proxy, string name)
    {
        using var response = await proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, "/readyz"));
        var upstreams = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("upstreams");
        return upstreams.EnumerateArray().Single(upstream => upstream.GetProperty("name").GetString() == name);
    }
}
