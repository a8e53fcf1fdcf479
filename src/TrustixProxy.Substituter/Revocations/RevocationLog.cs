using Microsoft.Extensions.Logging;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>Messages with the event ids 70xx, revocations.</summary>
internal static partial class RevocationLog
{
    [LoggerMessage(7001, LogLevel.Warning, "Revocation no. {Number}: {Subject} is {State}: {Reason}")]
    public static partial void RevocationTaken(this ILogger logger, long number, string subject, string state, string reason);

    [LoggerMessage(7002, LogLevel.Error, "Revocation no. {Number} is in force, but could not be written to the state database "
        + "({Error}). Writing is retried; a restart before it succeeds loses the revocation")]
    public static partial void RevocationNotKept(this ILogger logger, long number, string error);

    [LoggerMessage(7003, LogLevel.Warning, "Redis holds {Count} revocations without our seal; they are replaced")]
    public static partial void RevocationsForged(this ILogger logger, int count);

    [LoggerMessage(7004, LogLevel.Error, "Cannot read revocations from the state database: {Error}")]
    public static partial void RevocationsNotRead(this ILogger logger, string error);

    [LoggerMessage(7005, LogLevel.Warning, "Revocation no. {Number} is now on disk")]
    public static partial void RevocationKept(this ILogger logger, long number);

    [LoggerMessage(7006, LogLevel.Error, "Cannot open the control socket at {Path} ({Reason}); verbs such as revoke write to the "
        + "state database and take effect within a second")]
    public static partial void NoControlSocket(this ILogger logger, string path, string reason);
}
