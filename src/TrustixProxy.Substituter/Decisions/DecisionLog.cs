using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Messages with the event ids 40xx, decisions.</summary>
internal static partial class DecisionLog
{
    [LoggerMessage(4001, LogLevel.Information, "Refused {Digest} ({Outcome}): {Sentence}")]
    public static partial void Refused(this ILogger logger, string digest, string outcome, string sentence);

    [LoggerMessage(4002, LogLevel.Debug, "A stored decision on {Digest} is not used: {Error}")]
    public static partial void RecordRefused(this ILogger logger, string digest, DecisionSealError error);

    [LoggerMessage(4003, LogLevel.Error, "The state database refused ({Error}): decisions are kept in memory only until it does not")]
    public static partial void DiskRefused(this ILogger logger, string error);

    [LoggerMessage(4004, LogLevel.Error, "Deciding on {Digest} failed by a fault of this program")]
    public static partial void DecidingFailed(this ILogger logger, Exception exception, string digest);

    [LoggerMessage(4005, LogLevel.Error, "Something to be kept was not written, by a fault of this program")]
    public static partial void KeepingFailed(this ILogger logger, Exception exception);

    [LoggerMessage(4006, LogLevel.Information,
        "{Count} more refusals with the outcome {Outcome} were not told since the last that was: the dashboard counts them all")]
    public static partial void RefusalsNotTold(this ILogger logger, long count, string outcome);
}
