using TrustixProxy.Logs.Watching;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>The newest heads of logs that this process knows.</summary>
internal abstract class KnownHeads
{
    /// <summary>Returns the head of a log; null if none is known.</summary>
    public abstract RevokedHead? HeadOf(string logId);
}

/// <summary>The heads of the logs that a running proxy watches.</summary>
internal sealed class WatchedHeads(IReadOnlyList<WatchedLog> logs) : KnownHeads
{
    public override RevokedHead? HeadOf(string logId) =>
        logs.FirstOrDefault(log => log.Key.LogId == logId)?.Head is { Content: var content }
            ? new RevokedHead(content.TreeSize, content.LogRoot) : null;
}
