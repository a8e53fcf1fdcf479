using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Messages with the event ids 40xx, decisions.</summary>
internal static partial class DecisionLog
{
    [LoggerMessage(4001, LogLevel.Information, "Refused {Digest} ({Outcome}): {Sentence}")]
    public static partial void Refused(this ILogger logger, string digest, string outcome, string sentence);

    [LoggerMessage(4002, LogLevel.Debug, "Ignored a stored decision on {Digest}: {Error}")]
    public static partial void RecordRefused(this ILogger logger, string digest, DecisionSealError error);

    [LoggerMessage(4003, LogLevel.Error, "The state database refused a write ({Error}); until it recovers, decisions are kept in "
        + "memory only")]
    public static partial void DiskRefused(this ILogger logger, string error);

    [LoggerMessage(4004, LogLevel.Error, "Deciding on {Digest} failed: a bug in this program")]
    public static partial void DecidingFailed(this ILogger logger, Exception exception, string digest);

    [LoggerMessage(4005, LogLevel.Error, "A queued write was lost: a bug in this program")]
    public static partial void KeepingFailed(this ILogger logger, Exception exception);

    [LoggerMessage(4006, LogLevel.Information,
        "Left out {Count} more refusals with outcome {Outcome} since the last one logged; the dashboard counts them all")]
    public static partial void RefusalsNotTold(this ILogger logger, long count, string outcome);
}
