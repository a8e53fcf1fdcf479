using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.IO.Supervision;

/// <summary>Work that must go on while the process lives. One turn after the other is run; a turn that fails is logged, and the next one
/// follows after a pause.</summary>
/// <param name="Name">What the loop is, in a message: <c>head poller</c>.</param>
/// <param name="About">What it works on: the name of a log, the address of a peer.</param>
/// <param name="Interval">The time between two turns; zero when a turn waits by itself for what it works on.</param>
/// <param name="Turn">One turn. It must end soon after its token is cancelled.</param>
/// <remarks>
/// <code>
/// turn ──ends──▶ wait for the next tick of the interval ──▶ turn
///      ──fails─▶ log it once for each cause ──▶ pause: 1 s, doubled up to 1 min while turns fail ──▶ turn
/// </code></remarks>
public sealed record SupervisedLoop(string Name, string About, TimeSpan Interval, Func<CancellationToken, Task> DecompressionSlot)
{
    private static readonly ConcurrentDictionary<string, long> Counts = new(StringComparer.Ordinal);

    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromMinutes(1);

    /// <summary>How many turns have failed since this process runs, by the name of their loop.</summary>
    public static IEnumerable<KeyValuePair<string, long>> Failures => Counts;

    /// <summary>Whether the first turn waits for the first tick of the interval; otherwise it is run at once.</summary>
    public bool WaitsFirst { get; init; }

    /// <summary>Runs turns until the token is cancelled. Nothing that fails in a turn ends it, or is thrown.</summary>
    /// <param name="logger">Told what fails, and that it works again.</param>
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

                await DecompressionSlot(stopping);
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
                // When it is cancelled, the loop's condition ends it.
                await Task.Delay(PauseAfter(++failures), time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>How long to wait after so many failures one after the other; at least one.</summary>
    public static TimeSpan PauseAfter(int failures) =>
        TimeSpan.FromTicks(Math.Min(LongestPause.Ticks, FirstPause.Ticks << Math.Min(failures - 1, 10)));

    /// <summary>Logs a failure, unless the one before had the same cause; gives the cause.</summary>
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
