using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Logs.Watching;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>Keeps each mirror at its log's newest head, independently of the others and of requests, at a fixed interval.</summary>
public sealed class MirrorFollower(
    IReadOnlyList<(WatchedLog Log, LogMirror Mirror)> mirrors, TimeSpan interval, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    protected override IEnumerable<SupervisedLoop> Loops => mirrors.Select(entry =>
    {
        var isFirst = true;
        return new SupervisedLoop("mirror follower", entry.Log.Name, interval, async stopping =>
        {
            await entry.Log.RefreshAsync().WaitAsync(stopping);
            if (isFirst && entry.Mirror.Head is { } kept)
            {
                // If the state database is lost, the mirror still has its head.
                await entry.Log.HearAsync(kept, entry.Log.Source).WaitAsync(stopping);
            }

            isFirst = false;
            await entry.Mirror.FollowAsync(stopping);
        });
    });
}
