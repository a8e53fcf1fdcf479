using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace TrustixProxy.IO.Supervision;

/// <summary>Runs supervised loops in parallel, each on its own thread while it does not wait. Stopping takes a bounded time, whatever a
/// loop does.</summary>
/// <param name="logger">Logs failures, and the loops left running.</param>
public abstract class SupervisedService(TimeProvider time, ILogger logger) : BackgroundService
{
    /// <summary>Maximum time that stopping waits for a loop; a longer one is left running.</summary>
    public static readonly TimeSpan StopTime = TimeSpan.FromSeconds(5);

    private (SupervisedLoop Loop, Task Running)[] _running = [];

    /// <summary>The loops; read once, when the service starts.</summary>
    protected abstract IEnumerable<SupervisedLoop> Loops { get; }

    protected TimeProvider Time => time;

    protected ILogger Logger => logger;

    /// <summary>Stops the loops and waits for them: until the token is cancelled, at most <see cref="StopTime"/>.</summary>
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

    /// <summary>Completes when every loop has ended, including loops left running. Completes at once when the service never
    /// started.</summary>
    public Task Ended => Task.WhenAll(_running.Select(entry => entry.Running));

    /// <inheritdoc/>
    protected sealed override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _running = [.. Loops.Select(loop => (loop, Task.Run(() => loop.RunAsync(time, logger, stoppingToken), CancellationToken.None)))];
        return Ended;
    }
}
