using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Client;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>Our own log node gives all that a vote needs in one call; a log without that call is asked by the others.</summary>
public sealed class LookupTests
{
    [Fact]
    public async Task A_log_that_has_the_one_call_is_asked_by_it_alone()
    {
        var (present, absent) = (TestOutput.Make(), TestOutput.Make("absent-1.0"));
        await using var node = await new TestLogNode().StartAsync();
        await node.SubmitAsync((present.Statement.Key, present.Statement.Value));
        await using var relay = await RecordingRelay.StartAsync(node.PublicUrl);
        await using var upstream = await FakeUpstream.StartAsync();
        upstream.Add(present);
        upstream.Add(absent);
        using var state = new TestFolder();
        await using var proxy = await StartAsync(
            new LogOptions(new Elector.Log("alice", "alice", node.Signer.Key), relay.Url), upstream, state.Path);
        using var client = new HttpClient { BaseAddress = new Uri(proxy.Urls.Single()) };

        Assert.Contains($"NarHash: {present.Statement.NarHash}", await client.GetStringAsync($"/{present.Path.Digest}.narinfo"),
            StringComparison.Ordinal);
        using var refused = await client.GetAsync($"/{absent.Path.Digest}.narinfo");
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
        Assert.Contains("alice=absent", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        // a log that names no key with a digest is asked to prove that it has not the one key
        Assert.Equal(["Lookup", "Lookup", "Lookup"], relay.Calls.Where(call => call is not "GetHead"));

        // What was published since comes with the head that covers it, and the proof that it continues the one before.
        var late = TestOutput.Make("late-1.0");
        upstream.Add(late);
        await node.SubmitAsync((late.Statement.Key, late.Statement.Value));
        Assert.Contains(
            $"NarHash: {late.Statement.NarHash}", await client.GetStringAsync($"/{late.Path.Digest}.narinfo"), StringComparison.Ordinal);
        Assert.Equal(["Lookup", "Lookup", "Lookup", "Lookup"], relay.Calls.Where(call => call is not "GetHead"));
    }

    [Fact]
    public async Task A_log_without_it_is_asked_for_it_once()
    {
        var (one, two) = (TestOutput.Make(), TestOutput.Make("two-1.0"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(one, "alice", "bob", "carol").Publish(two, "alice", "bob", "carol").StartAsync();

        await proxy.NarInfoAsync(one);
        await UntilAsync(() => proxy.Log("alice").Calls.Contains("GetMapValue")); // the verdict does not wait for all three
        await proxy.NarInfoAsync(two);

        Assert.Single(proxy.Log("alice").Calls, call => call is "Lookup");
    }

    [Fact]
    public async Task A_log_is_asked_before_any_upstream_has_named_the_path()
    {
        var output = TestOutput.Make();
        await using var node = await new TestLogNode().StartAsync();
        await node.SubmitAsync((output.Statement.Key, output.Statement.Value));
        await using var relay = await RecordingRelay.StartAsync(node.PublicUrl);
        await using var upstream = await FakeUpstream.StartAsync();
        upstream.Add(output);
        upstream.Intercept = async _ =>
        {
            await UntilAsync(() => relay.Calls.Contains("Lookup"));
            return false;
        };
        using var state = new TestFolder();
        await using var proxy = await StartAsync(
            new LogOptions(new Elector.Log("alice", "alice", node.Signer.Key), relay.Url), upstream, state.Path);
        using var client = new HttpClient { BaseAddress = new Uri(proxy.Urls.Single()) };

        Assert.Contains($"NarHash: {output.Statement.NarHash}", await client.GetStringAsync($"/{output.Path.Digest}.narinfo"),
            StringComparison.Ordinal);
        Assert.Equal(["Lookup"], relay.Calls.Where(call => call is not "GetHead"));
    }

    [Fact]
    public async Task Questions_of_one_moment_travel_together()
    {
        var outputs = Enumerable.Range(0, 60).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var node = await new TestLogNode().StartAsync();
        await node.SubmitAsync([.. outputs.Select(output => (output.Statement.Key, output.Statement.Value))]);
        await using var relay = await RecordingRelay.StartAsync(node.PublicUrl);
        await using var upstream = await FakeUpstream.StartAsync();
        outputs.ForEach(output => upstream.Add(output));
        using var state = new TestFolder();
        await using var proxy = await StartAsync(
            new LogOptions(new Elector.Log("alice", "alice", node.Signer.Key), relay.Url), upstream, state.Path);
        using var client = new HttpClient { BaseAddress = new Uri(proxy.Urls.Single()) };
        relay.Delay = TimeSpan.FromMilliseconds(200);

        var answers = await Task.WhenAll(outputs.Select(output => client.GetStringAsync($"/{output.Path.Digest}.narinfo")));

        Assert.All(outputs.Zip(answers), pair =>
            Assert.Contains($"NarHash: {pair.First.Statement.NarHash}", pair.Second, StringComparison.Ordinal));
        Assert.InRange(relay.Calls.Count(call => call is "Lookup"), 1, 30);
    }

    [Fact]
    public async Task A_log_that_says_one_thing_by_the_one_call_and_another_by_the_others_is_frozen()
    {
        var output = TestOutput.Make();
        await using var one = await new TestLogNode().StartAsync();
        await using var other = await new TestLogNode(signer: one.Signer).StartAsync();
        await one.SubmitAsync((output.Statement.Key, output.Statement.Value));
        await other.SubmitAsync((output.Statement.Key, output.Forge().Statement.Value));
        await using var relay = await RecordingRelay.StartAsync(one.PublicUrl);
        relay.Route = method => method is "Lookup" ? other.PublicUrl : one.PublicUrl;
        await using var upstream = await FakeUpstream.StartAsync();
        upstream.Add(output);
        using var state = new TestFolder();
        await using var proxy = await StartAsync(
            new LogOptions(new Elector.Log("alice", "alice", one.Signer.Key), relay.Url), upstream, state.Path);
        using var client = new HttpClient { BaseAddress = new Uri(proxy.Urls.Single()) };

        using var answer = await client.GetAsync($"/{output.Path.Digest}.narinfo");

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Contains("alice=silent(frozen)", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private static async Task<WebApplication> StartAsync(LogOptions log, FakeUpstream upstream, string state)
    {
        var app = SubstituterHost.Create(
            new SubstituterOptions
            {
                FrontDoor = new FrontDoorOptions { Listen = ["http://127.0.0.1:0"] },
                StateDirectory = state,
                SigningKey = NixSecretKey.Generate("proxy-1"),
                Policy = new Policy([log.Elector]),
                Logs = [log],
                Upstreams = [new UpstreamOptions("main", upstream.Url, 10)],
            },
            builder => builder.Logging.ClearProviders());
        await app.StartAsync();
        return app;
    }
}
