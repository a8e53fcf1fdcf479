using System.Net;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Fairness;
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
        await UntilAsync(() => proxy.Upstream().Requests.Count is Most - 1); // one is left to other clients
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
        var turns = new PollTurns(1, clock);
        var first = await TakeAsync(turns, "a", TimeSpan.FromSeconds(1));
        Assert.NotNull(first);
        Assert.Equal(1, turns.Taken);

        var (second, third) = (TakeAsync(turns, "a", TimeSpan.FromSeconds(1)), TakeAsync(turns, "a", TimeSpan.FromSeconds(5)));
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(await second);
        first.Dispose();
        Assert.NotNull(await third);
    }

    [Fact]
    public async Task Who_waits_with_thousands_delays_nobody_elses_few()
    {
        var turns = new PollTurns(80, new SteppedTime());
        var greedy = Enumerable.Range(0, 5000).Select(_ => TakeAsync(turns, "greedy")).ToList();
        Assert.Equal(turns.Share, greedy.Count(turn => turn.IsCompleted)); // the rest is left to others

        var modest = Enumerable.Range(0, 80 - turns.Share + 10).Select(_ => TakeAsync(turns, "modest")).ToList();
        Assert.Equal(80 - turns.Share, modest.Count(turn => turn.IsCompleted));
        await GiveBackAsync(greedy, 20); // ten for each

        Assert.All(await Task.WhenAll(modest).WaitAsync(TimeSpan.FromMinutes(1)), Assert.NotNull);
    }

    [Fact]
    public async Task A_path_that_two_want_is_decided_in_the_turn_of_whoever_comes_first()
    {
        var turns = new PollTurns(1, new SteppedTime());
        var (greedy, both) = (Enumerable.Range(0, 50).Select(_ => TakeAsync(turns, "greedy")).ToList(), new Turn());
        turns.Join(both, Named("greedy"));
        var common = turns.TakeAsync(both, TimeSpan.FromMinutes(1)).AsTask();
        turns.Join(both, Named("modest"));

        await GiveBackAsync(greedy, 2);
        (await common)!.Dispose();
        await GiveBackAsync(greedy.Skip(2), 48);

        Assert.Equal(0, turns.Taken);
    }

    [Fact]
    public async Task When_too_many_wait_the_last_of_the_longest_line_is_told_so()
    {
        var turns = new PollTurns(1, new SteppedTime());
        using var first = await TakeAsync(turns, "greedy");
        var greedy = Enumerable.Range(0, 10_000).Select(_ => TakeAsync(turns, "greedy")).ToList();
        var modest = TakeAsync(turns, "modest");

        Assert.Null(await greedy[^1]);
        Assert.Equal(1, greedy.Count(turn => turn.IsCompleted));
        first!.Dispose();
        await GiveBackAsync(greedy, 1);
        (await modest)!.Dispose();
    }

    [Fact]
    public void Whatever_comes_and_goes_no_share_is_exceeded_and_nothing_is_lost()
    {
        var random = new Random(11);
        for (var run = 0; run < 200; run++)
        {
            var (most, share) = (random.Next(1, 8), random.Next(1, 8));
            var queue = new FairQueue<int>(most, share);
            var (waiting, taken) = (new List<FairQueue<int>.Place>(), new List<FairQueue<int>.Place>());
            for (var step = 0; step < 200; step++)
            {
                switch (random.Next(4))
                {
                    case 0:
                        waiting.Add(queue.Add(Named($"{random.Next(4)}"), step));
                        break;
                    case 1 when waiting.Count > 0:
                        queue.Remove(waiting[^1]);
                        waiting.RemoveAt(waiting.Count - 1);
                        break;
                    case 2 when taken.Count > 0:
                        queue.Return(taken[0]);
                        taken.RemoveAt(0);
                        break;
                    default:
                        var place = queue.Take();
                        Assert.Equal(place is null, taken.Count == most
                            || waiting.All(other => taken.Count(held => held.Requester == other.Requester) == share));
                        if (place is not null)
                        {
                            Assert.Equal(waiting.First(other => other.Requester == place.Requester), place); // oldest of its line
                            Assert.True(waiting.Remove(place));
                            taken.Add(place);
                        }

                        break;
                }

                Assert.Equal((taken.Count, waiting.Count), (queue.Taken, queue.Waiting));
            }
        }
    }

    private static Requester Named(string client) => new(client, default);

    private static Task<IDisposable?> TakeAsync(PollTurns turns, string client, TimeSpan? patience = null)
    {
        var turn = new Turn();
        turns.Join(turn, Named(client));
        return turns.TakeAsync(turn, patience ?? TimeSpan.FromMinutes(1)).AsTask();
    }

    private static async Task GiveBackAsync(IEnumerable<Task<IDisposable?>> turns, int count)
    {
        foreach (var turn in turns.Take(count))
        {
            (await turn)!.Dispose();
        }
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
