using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.IO.Supervision;

/// <summary>Runs supervised loops beside each other, each on a thread of its own when it does not wait. Stopping it takes a bounded time,
/// whatever a loop does.</summary>
/// <param name="logger">Told what fails, and which loop was left behind.</param>
public abstract class SupervisedService(TimeProvider time, ILogger logger) : BackgroundService
{
    /// <summary>How long stopping waits for a loop. One that goes on for longer is left behind.</summary>
    public static readonly TimeSpan StopTime = TimeSpan.FromSeconds(5);

    private (SupervisedLoop Loop, Task Running)[] _running = [];

    /// <summary>The loops; asked for once, when the service starts.</summary>
    protected abstract IEnumerable<SupervisedLoop> Loops { get; }

    /// <summary>The loops' clock.</summary>
    protected TimeProvider Time => time;

    /// <summary>Where messages go.</summary>
    protected ILogger Logger => logger;

    /// <summary>Ends the loops, and waits for them: until the token is cancelled, and at most <see cref="StopTime"/>.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(StopTime, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        await base.StopAsync(either.Token);
        if (limit.IsCancellationRequested)
        {
            foreach (var (loop, _) in _running.Where(entry => !entry.Running.IsCompleted))
            {
                logger.LoopLeftBehind(loop.Name, loop.About, StopTime.TotalSeconds);
            }
        }
    }

    /// <summary>Done when every loop has ended; a loop that was left behind may end later. Done at once when the service was never
    /// started.</summary>
    public Task Ended => Task.WhenAll(_running.Select(entry => entry.Running));

    /// <inheritdoc/>
    protected sealed override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _running = [.. Loops.Select(loop => (loop, Task.Run(() => loop.RunAsync(time, logger, stoppingToken), CancellationToken.None)))];
        return Ended;
    }
}
