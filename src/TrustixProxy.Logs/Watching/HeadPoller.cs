using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.Logs.Watching;

/// <summary>Fetches every log's head at start and then at an interval. Logs are independent: a hanging one delays no other.</summary>
public sealed class HeadPoller(IReadOnlyList<WatchedLog> logs, TimeSpan interval, TimeProvider time, ILogger logger)
    : SupervisedService(time, logger)
{
    protected override IEnumerable<SupervisedLoop> Loops =>
        logs.Select(log => new SupervisedLoop("head poller", log.Name, interval, stopping => log.RefreshAsync().WaitAsync(stopping)));
}
