using Microsoft.Extensions.Hosting;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Drops expired decisions from the disk, every hour.</summary>
internal sealed class DecisionPruner(DecisionCache cache, TimeProvider time) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), time);
        while (await timer.WaitForNextTickAsync(stoppingToken).AsTask().ContinueWith(tick => tick.IsCompletedSuccessfully && tick.Result, TaskScheduler.Default))
        {
            cache.Prune();
        }
    }
}
