using Microsoft.Extensions.Hosting;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Fetches every log's head at start and then at an interval, each log for itself: one that hangs delays no other.</summary>
internal sealed class HeadPoller(IReadOnlyList<WatchedLog> logs, TimeSpan interval, TimeProvider time) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(logs.Select(log => PollAsync(log, stoppingToken)));

    private async Task PollAsync(WatchedLog log, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(interval, time);
        try
        {
            do
            {
                await log.RefreshAsync().WaitAsync(stopping);
            }
            while (await timer.WaitForNextTickAsync(stopping));
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
    }
}
