using Microsoft.Extensions.Hosting;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Has what is too old dropped from the disk, every hour.</summary>
internal sealed class DecisionPruner(Action prune, TimeProvider time) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), time);
        while (await timer.WaitForNextTickAsync(stoppingToken).AsTask().ContinueWith(tick => tick.IsCompletedSuccessfully && tick.Result, TaskScheduler.Default))
        {
            prune();
        }
    }
}
