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

    [LoggerMessage(6007, LogLevel.Warning,
        "redis: Redis denies its user what replicas need ({Reason}); until it is allowed, they share less. Run ACL SETUSER {User} "
        + "{Permissions}")]
    public static partial void RedisDenied(this ILogger logger, string reason, string user, string permissions);

    [LoggerMessage(6008, LogLevel.Warning, "redis.passwordFile: Redis rejects the user '{User}' with this password; until it takes them, "
        + "this replica decides alone. Correct the file, or user= in redis.configuration")]
    public static partial void RedisRejectsPassword(this ILogger logger, string user);

    [LoggerMessage(6009, LogLevel.Warning, "redis: TLS fails ({Reason}); until it works, this replica decides alone. Set redis.caFile to "
        + "the authority of Redis, and redis.clientCertificateFile and clientKeyFile if it demands a certificate")]
    public static partial void RedisTlsFailed(this ILogger logger, string reason);
}
