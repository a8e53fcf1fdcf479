using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Operations;
using TrustixProxy.Testing;

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
        var state = Directory.CreateTempSubdirectory("trustix-test-").FullName;
        await using var proxy = await StartAsync(new LogOptions(new Elector.Log("alice", "alice", node.Signer.Key), relay.Url), upstream, state);
        using var client = new HttpClient { BaseAddress = new Uri(proxy.Urls.Single()) };

        Assert.Contains($"NarHash: {present.Statement.NarHash}", await client.GetStringAsync($"/{present.Path.Digest}.narinfo"), StringComparison.Ordinal);
        using var refused = await client.GetAsync($"/{absent.Path.Digest}.narinfo");
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
        Assert.Contains("alice=absent", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(["GetHead", "Lookup", "Lookup"], relay.Calls);

        // What was published since comes with the head that covers it, and the proof that it continues the one before.
        var late = TestOutput.Make("late-1.0");
        upstream.Add(late);
        await node.SubmitAsync((late.Statement.Key, late.Statement.Value));
        Assert.Contains($"NarHash: {late.Statement.NarHash}", await client.GetStringAsync($"/{late.Path.Digest}.narinfo"), StringComparison.Ordinal);
        Assert.Equal(["GetHead", "Lookup", "Lookup", "Lookup"], relay.Calls);
        await proxy.StopAsync();
        Directory.Delete(state, recursive: true);
    }

    [Fact]
    public async Task A_log_without_it_is_asked_for_it_once()
    {
        var (one, two) = (TestOutput.Make(), TestOutput.Make("two-1.0"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(one, "alice", "bob", "carol").Publish(two, "alice", "bob", "carol").StartAsync();

        await proxy.NarInfoAsync(one);
        await proxy.NarInfoAsync(two);

        Assert.Single(proxy.Log("alice").Calls, call => call is "Lookup");
    }

    private static async Task<WebApplication> StartAsync(LogOptions log, FakeUpstream upstream, string state)
    {
        var app = SubstituterHost.Create(
            new SubstituterOptions
            {
                Listen = ["http://127.0.0.1:0"],
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
