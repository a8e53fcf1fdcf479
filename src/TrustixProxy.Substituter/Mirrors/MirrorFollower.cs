using Microsoft.Extensions.Hosting;
using TrustixProxy.Substituter.Evidence;

namespace TrustixProxy.Substituter.Mirrors;

/// <summary>Keeps each mirror at its log's newest head, each for itself, at an interval that no request has a part in.</summary>
internal sealed class MirrorFollower(IReadOnlyList<(WatchedLog Log, LogMirror Mirror)> mirrors, TimeSpan interval, TimeProvider time) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(mirrors.Select(entry => Task.Run(() => FollowAsync(entry.Log, entry.Mirror, stoppingToken), stoppingToken)));

    private async Task FollowAsync(WatchedLog log, LogMirror mirror, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(interval, time);
        var isFirst = true;
        try
        {
            do
            {
                await log.RefreshAsync().WaitAsync(stopping);
                if (isFirst && mirror.Head is { } kept)
                {
                    await log.HearAsync(kept, log.Source).WaitAsync(stopping); // the state database may have been lost: the log is held to what the mirror has seen
                }

                isFirst = false;
                await mirror.FollowAsync(stopping);
            }
            while (await timer.WaitForNextTickAsync(stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The host stops; what was kept stays.
        }
    }
}
