using System.Net;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>However many paths are asked for, and whether clients still wait: <c>limits.concurrency</c> paths are decided on at
/// once.</summary>
public sealed class DeliberationBoundTests
{
    private const int Most = 5;

    [Fact]
    public async Task Clients_that_leave_do_not_make_more_paths_be_decided_on_at_once()
    {
        await using var proxy = await HangingAsync();

        await LeaveAsync(proxy, 40);

        Assert.InRange(proxy.Upstream().Requests.Count, 1, Most);
    }

    [Fact]
    public async Task Who_finds_no_turn_is_told_so_in_time_and_is_answered_once_there_is_one()
    {
        await using var proxy = await HangingAsync();
        await LeaveAsync(proxy, Most);
        await UntilAsync(() => proxy.Upstream().Requests.Count is Most);
        var output = TestOutput.Make();

        var crowded = await proxy.AskAsync(output.Path);

        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (crowded.Status, crowded.Decision));
        Assert.Contains("limits.concurrency", crowded.Text, StringComparison.Ordinal);
        proxy.Upstream().Intercept = null;
        proxy.Publish(output, "alice", "bob", "carol");
        await UntilAsync(async () => (await proxy.AskAsync(output.Path)).Decision is "agreed");
    }

    [Fact]
    public async Task Turns_are_given_back_and_those_that_wait_too_long_get_none()
    {
        var clock = new SteppedTime();
        using var turns = new PollTurns(1, clock);
        var first = await turns.TakeAsync(TimeSpan.FromSeconds(1));
        Assert.NotNull(first);
        Assert.Equal(1, turns.Taken);

        var (second, third) = (turns.TakeAsync(TimeSpan.FromSeconds(1)).AsTask(), turns.TakeAsync(TimeSpan.FromSeconds(5)).AsTask());
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(await second);
        first.Dispose();
        Assert.NotNull(await third);
    }

    /// <summary>A proxy whose only upstream answers probes, and no request for a narinfo.</summary>
    private static async Task<TestProxy> HangingAsync()
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with
        {
            Deadline = TimeSpan.FromSeconds(6),
            FrontDoor = options.FrontDoor with { AllClients = new LoadLimits(Concurrency: Most) },
        };
        proxy.Upstream().Intercept = async context =>
        {
            if (context.Request.Path.Value!.EndsWith(".narinfo", StringComparison.Ordinal))
            {
                await Task.Delay(TimeSpan.FromSeconds(30), context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            }

            return false;
        };
        return await proxy.StartAsync();
    }

    /// <summary>Asks for this many paths, and leaves each before there is an answer.</summary>
    private static Task LeaveAsync(TestProxy proxy, int paths) =>
        Parallel.ForEachAsync(Enumerable.Range(0, paths), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (_, _) =>
        {
            using var leaving = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => proxy.Client.GetAsync(new Uri(proxy.Url, $"{TestOutput.PathOf("left").Digest}.narinfo"), leaving.Token));
        });
}
