using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Logs.Client;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>Asking again about refused paths costs each upstream and elector at most 50 requests a second, counted request by request on a
/// virtual clock. Only the return of an upstream allows one more for each path that lacked it.</summary>
public sealed class AskingAgainTests
{
    private const int PerSecond = 50, Paths = 400, Seconds = 8;

    /// <summary>How much the clock moves while answers are awaited, and after which time. It runs slowly, so that no upstream seems silent
    /// on a busy machine.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(1), Pause = TimeSpan.FromMilliseconds(10);

    private readonly SteppedTime _clock = new();

    [Fact]
    public void A_further_request_to_one_elector_is_taken_from_the_budget()
    {
        var (clock, elector) = (new ManualTime(), new object());
        var budget = new AskingBudget(10, clock);
        Assert.True(budget.TryTake());
        budget.Begin();
        Enumerable.Range(0, 4).ToList().ForEach(_ => AskingBudget.Charge(elector)); // the first one is paid

        Assert.Equal(6, Enumerable.Range(0, 100).Count(_ => budget.TryTake()));
        clock.Now += TimeSpan.FromSeconds(0.5);
        Assert.Equal(5, Enumerable.Range(0, 100).Count(_ => budget.TryTake()));
        clock.Now += TimeSpan.FromHours(1);
        Assert.Equal(10, Enumerable.Range(0, 100).Count(_ => budget.TryTake()));
    }

    [Fact]
    public async Task A_log_that_takes_several_calls_for_each_path_is_asked_within_the_budget()
    {
        await using var alice = await FakeLog.StartAsync();
        await using var bob = await FakeLog.StartAsync();
        await using var upstream = await FakeUpstream.StartAsync();
        var outputs = Enumerable.Range(0, Paths).Select(i => TestOutput.Make($"refused-{i}")).ToList();
        outputs.ForEach(output => alice.Publish(output.Statement)); // bob has none, so that the quorum is missed
        outputs.Where((_, i) => i % 2 is 0).ToList().ForEach(output => upstream.Add(output));
        var logs = new[] { ("alice", alice), ("bob", bob) }.Select(
            log => new LogOptions(new Elector.Log(log.Item1, log.Item1, log.Item2.Log.Signer.Key), log.Item2.Url)).ToList();
        using var state = new TestFolder();
        using var parts = new ProxyParts(OptionsIn(state.Path, upstream.Url, logs), NullLogger.Instance, _clock);
        await AskAllAsync(parts, outputs);
        var (before, requests) = (CallsOf(alice), upstream.Requests.Count);
        var start = _clock.GetUtcNow();

        while (_clock.GetUtcNow() - start < TimeSpan.FromSeconds(Seconds))
        {
            await AskAllAsync(parts, outputs);
            _clock.Advance(TimeSpan.FromMilliseconds(100));
        }

        var budget = PerSecond * ((_clock.GetUtcNow() - start).TotalSeconds + 1);
        // what was begun together at first is charged later
        Assert.InRange(CallsOf(alice) - before, PerSecond * Seconds / 2, budget + (2 * PerSecond));
        Assert.InRange(upstream.Requests.Count - requests, 1, budget);
    }

    [Fact]
    public async Task Once_an_upstream_is_back_each_path_that_lacked_one_is_asked_about_once_more_whatever_the_budget()
    {
        await using var alice = await FakeLog.StartAsync();
        await using var upstream = await FakeUpstream.StartAsync(); // it has none of them
        var outputs = Enumerable.Range(0, Paths).Select(i => TestOutput.Make($"lacking-{i}")).ToList();
        outputs.ForEach(output => alice.Publish(output.Statement));
        using var state = new TestFolder();
        using var parts = new ProxyParts(OptionsIn(state.Path, upstream.Url,
            [new LogOptions(new Elector.Log("alice", "alice", alice.Log.Signer.Key), alice.Url)]), NullLogger.Instance, _clock);
        await AskAllAsync(parts, outputs);
        parts.Upstreams.Single().Health.ReportSilence();
        parts.Upstreams.Single().Health.ReportAnswer();

        var (start, before) = (_clock.GetUtcNow(), upstream.Requests.Count);
        _clock.Advance(RefusalMemory.Young / 4);
        await AskAllAsync(parts, outputs);
        var again = upstream.Requests.Count;
        _clock.Advance(RefusalMemory.Young / 4);
        await AskAllAsync(parts, outputs);

        var budget = PerSecond * ((_clock.GetUtcNow() - start).TotalSeconds + 1);
        Assert.InRange(again - before, Math.Max(Paths, budget), 2 * Paths);
        Assert.InRange(upstream.Requests.Count - again, 0, budget);
    }

    [Fact]
    public async Task A_log_that_is_asked_by_one_call_is_asked_once_for_each_path()
    {
        await using var node = await new TestLogNode().StartAsync();
        await node.SubmitAsync(("key"u8.ToArray(), "value"u8.ToArray()));
        await using var relay = await RecordingRelay.StartAsync(node.PublicUrl);
        await using var upstream = await FakeUpstream.StartAsync();
        var output = TestOutput.Make();
        upstream.Add(output);
        using var state = new TestFolder();
        using var parts = new ProxyParts(OptionsIn(state.Path, upstream.Url,
            [new LogOptions(new Elector.Log("node", "node", node.Signer.Key), relay.Url)]), NullLogger.Instance, _clock);
        await AskAllAsync(parts, [output]);
        var before = relay.Calls.Count(call => call is not "GetHead");

        _clock.Advance(TimeSpan.FromSeconds(3));
        await AskAllAsync(parts, [output]);

        Assert.Equal(before + 1, relay.Calls.Count(call => call is not "GetHead"));
    }

    private static int CallsOf(FakeLog log) => log.Calls.Count(call => call is not "GetHead");

    private static SubstituterOptions OptionsIn(string directory, Uri upstream, List<LogOptions> logs) => new()
    {
        FrontDoor = new FrontDoorOptions { Listen = [] },
        OperationsListen = [],
        StateDirectory = directory,
        SigningKey = NixSecretKey.Generate("again-1"),
        Policy = new Policy([.. logs.Select(log => log.Elector)], logs.Count),
        Logs = [.. logs],
        Upstreams = [new UpstreamOptions("main", upstream, 10)],
        Deadline = TimeSpan.FromSeconds(10),
    };

    /// <summary>Asks about all paths, 16 at a time, and moves the clock while answers are awaited.</summary>
    private async Task AskAllAsync(ProxyParts parts, List<TestOutput> outputs)
    {
        foreach (var some in outputs.Chunk(16))
        {
            var asking = Task.WhenAll(
                some.Select(output => parts.Decider.DecideAsync(output.Path.Digest, CancellationToken.None).AsTask()));
            while (!asking.IsCompleted)
            {
                await Task.WhenAny(asking, Task.Delay(Pause));
                if (!asking.IsCompleted)
                {
                    _clock.Advance(Step);
                }
            }

            Assert.All(await asking, decision => Assert.Null(decision.Record.Claim));
        }
    }
}
