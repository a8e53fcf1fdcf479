using Microsoft.Extensions.Logging;

namespace TrustixProxy.IO.Redis;

/// <summary>Log messages of this folder: event ids 60xx.</summary>
public static partial class ReplicasLog
{
    [LoggerMessage(6001, LogLevel.Information, "Connected to Redis: decisions, views and revocations are shared")]
    public static partial void RedisIsThere(this ILogger logger);

    [LoggerMessage(6002, LogLevel.Warning, "Redis does not answer; until it does, this replica decides alone")]
    public static partial void RedisIsGone(this ILogger logger);

    [LoggerMessage(6003, LogLevel.Debug, "Cannot reach Redis: {Reason}")]
    public static partial void RedisNotReached(this ILogger logger, string reason);

    [LoggerMessage(6004, LogLevel.Debug, "Redis refused a call: {Reason}")]
    public static partial void RedisRefused(this ILogger logger, string reason);

    [LoggerMessage(6005, LogLevel.Error, "Log {LogId}: cannot share its view; the state database refused: {Reason}")]
    public static partial void ViewNotShared(this ILogger logger, string logId, string reason);

    [LoggerMessage(6006, LogLevel.Error, "A call to Redis failed: a bug in this program")]
    public static partial void RedisFailed(this ILogger logger, Exception exception);
}
