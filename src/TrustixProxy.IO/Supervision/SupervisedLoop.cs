using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.IO.Supervision;

/// <summary>Repeats work for the life of the process. A failed turn is logged, and the next follows after a pause.</summary>
/// <param name="Name">The loop's name in messages: <c>head poller</c>.</param>
/// <param name="About">What it works on: the name of a log, the address of a peer.</param>
/// <param name="Interval">Time between turns; zero when a turn itself waits for work.</param>
/// <param name="Turn">One turn. It must end soon after its token is cancelled.</param>
/// <remarks>
/// <code>
/// turn ──ends──▶ wait for the next tick of the interval ──▶ turn
///      ──fails─▶ log it once for each cause ──▶ pause: 1 s, doubled up to 1 min while turns fail ──▶ turn
/// </code></remarks>
public sealed record SupervisedLoop(string Name, string About, TimeSpan Interval, Func<CancellationToken, Task> Turn)
{
    private static readonly ConcurrentDictionary<string, long> Counts = new(StringComparer.Ordinal);

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromMinutes(1);

    /// <summary>Number of failed turns since the process started, by loop name.</summary>
    public static IEnumerable<KeyValuePair<string, long>> Failures => Counts;

    /// <summary>Whether the first turn waits for the first tick of the interval; otherwise it runs at once.</summary>
    public bool WaitsFirst { get; init; }

    /// <summary>Runs turns until the token is cancelled. No failure in a turn ends the loop or is thrown.</summary>
    /// <param name="logger">Logs failures and recoveries.</param>
    public async Task RunAsync(TimeProvider time, ILogger logger, CancellationToken stopping)
    {
        using var timer = Interval > TimeSpan.Zero ? new PeriodicTimer(Interval, time) : null;
        var (failures, told, isDue) = (0, "", !WaitsFirst);
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (!isDue && timer is not null)
                {
                    await timer.WaitForNextTickAsync(stopping);
                }

                await Turn(stopping);
                (failures, told, isDue) = (0, TellRecovery(logger, told), false);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                Counts.AddOrUpdate(Name, 1, (_, count) => count + 1);
                told = Tell(logger, told, exception);
                isDue = true;
                // On cancellation the loop's condition ends it.
                await Task.Delay(PauseAfter(++failures), time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Returns the pause after a number of consecutive failures; at least one.</summary>
    public static TimeSpan PauseAfter(int failures) =>
        TimeSpan.FromTicks(Math.Min(LongestPause.Ticks, FirstPause.Ticks << Math.Min(failures - 1, 10)));

    /// <summary>Logs a failure unless the last had the same cause; returns the cause.</summary>
    private string Tell(ILogger logger, string told, Exception exception)
    {
        var cause = $"{exception.GetType()}: {exception.Message}";
        if (cause != told)
        {
            logger.LoopFailed(Name, About, exception);
        }

        return cause;
    }

    private string TellRecovery(ILogger logger, string told)
    {
        if (told.Length > 0)
        {
            logger.LoopWorksAgain(Name, About);
        }

        return "";
    }
}
