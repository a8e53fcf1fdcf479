using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.IO.Tests.Supervision;

/// <summary>Work that must go on while the process lives goes on, whatever fails in it.</summary>
public sealed class SupervisedLoopTests
{
    private readonly HastyTime _time = new();
    private readonly MessageLog _log = new();

    [Theory]
    [InlineData(typeof(OverflowException))]
    [InlineData(typeof(OperationCanceledException))]
    [InlineData(typeof(ObjectDisposedException))]
    [InlineData(typeof(OutOfMemoryException))]
    public async Task A_turn_that_fails_is_followed_by_the_next_one(Type kind)
    {
        using var stop = new CancellationTokenSource();
        var turns = 0;
        var loop = new SupervisedLoop("head poller", "alpha", TimeSpan.FromSeconds(1), async _ =>
        {
            if (++turns < 5)
            {
                throw (Exception)Activator.CreateInstance(kind, "why it failed")!;
            }

            await stop.CancelAsync();
        });

        await loop.RunAsync(_time, _log, stop.Token).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.Equal(5, turns);
    }

    [Fact]
    public async Task A_cause_is_logged_once_with_the_loop_and_what_it_works_on_until_it_works_again()
    {
        using var stop = new CancellationTokenSource();
        var turns = 0;
        var loop = new SupervisedLoop("head poller", "alpha", TimeSpan.Zero, async _ =>
        {
            switch (++turns)
            {
                case < 4:
                    throw new InvalidDataException("the first cause");
                case 4 or 6:
                    throw new InvalidDataException("another cause");
                case 7:
                    await stop.CancelAsync();
                    break;
            }
        });

        await loop.RunAsync(_time, _log, stop.Token).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.All(_log.Messages, message => Assert.Contains("head poller of alpha", message, StringComparison.Ordinal));
        Assert.Equal(["first cause", "another cause", "works again", "another cause", "works again"], _log.Messages.Select(Gist));
    }

    [Fact]
    public async Task Pauses_double_up_to_a_minute_and_begin_anew_when_a_turn_has_worked()
    {
        using var stop = new CancellationTokenSource();
        var turns = 0;
        var loop = new SupervisedLoop("head poller", "alpha", TimeSpan.Zero, async _ =>
        {
            if (++turns is not 9 and not 11)
            {
                throw new InvalidDataException("why it failed");
            }

            if (turns is 11)
            {
                await stop.CancelAsync();
            }
        });

        await loop.RunAsync(_time, _log, stop.Token).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.Equal([1, 2, 4, 8, 16, 32, 60, 60, 1], _time.Dues.Select(due => due.TotalSeconds));
    }

    [Fact]
    public async Task A_service_stops_in_time_and_names_the_loop_that_it_left_behind()
    {
        var (entered, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        using var service = new Service(_time, _log, new SupervisedLoop("mirror follower", "alpha", TimeSpan.Zero, _ =>
        {
            entered.TrySetResult();
            return release.Task; // pays no attention to its token
        }));
        await service.StartAsync(CancellationToken.None);
        await entered.Task;

        await service.StopAsync(CancellationToken.None).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.Contains(
            "mirror follower of alpha did not stop within 5 s and is abandoned", Assert.Single(_log.Messages), StringComparison.Ordinal);
        Assert.False(service.Ended.IsCompleted);
        release.SetResult();
        await service.Ended.WaitAsync(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task One_loop_of_a_service_that_blocks_its_thread_holds_up_no_other()
    {
        using var release = new ManualResetEventSlim();
        var other = new TaskCompletionSource();
        using var service = new Service(
            _time, _log,
            new SupervisedLoop("mirror follower", "alpha", TimeSpan.Zero, stopping =>
            {
                release.Wait(stopping);
                return Task.Delay(Timeout.Infinite, stopping);
            }),
            new SupervisedLoop("mirror follower", "beta", TimeSpan.Zero, stopping =>
            {
                other.TrySetResult();
                return Task.Delay(Timeout.Infinite, stopping);
            }));
        await service.StartAsync(CancellationToken.None);

        await other.Task.WaitAsync(TimeSpan.FromMinutes(1));

        release.Set();
        await service.StopAsync(CancellationToken.None);
    }

    private static string Gist(string message) =>
        new[] { "first cause", "another cause", "works again" }.Single(gist => message.Contains(gist, StringComparison.Ordinal));

    private sealed class Service(TimeProvider time, ILogger logger, params SupervisedLoop[] loops) : SupervisedService(time, logger)
    {
        protected override IEnumerable<SupervisedLoop> Loops => loops;
    }

    /// <summary>A clock on which everything that is waited for is due at once, and which remembers how long that would have been.</summary>
    private sealed class HastyTime : TimeProvider
    {
        public ConcurrentQueue<TimeSpan> Dues { get; } = new();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime <= TimeSpan.Zero)
            {
                return base.CreateTimer(callback, state, dueTime, period);
            }

            Dues.Enqueue(dueTime);
            var tick = TimeSpan.FromMilliseconds(1);
            return base.CreateTimer(callback, state, tick, period > TimeSpan.Zero ? tick : period);
        }
    }

    private sealed class MessageLog : ILogger
    {
        public ConcurrentQueue<string> Messages { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Messages.Enqueue(exception is null ? formatter(state, exception) : $"{formatter(state, exception)}: {exception.Message}");
    }
}
