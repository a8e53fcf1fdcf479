using Microsoft.Extensions.Logging;

namespace TrustixProxy.IO.Supervision;

/// <summary>Log messages of this room: event ids 11xx.</summary>
public static partial class LoopLog
{
    [LoggerMessage(1101, LogLevel.Error,
        "The {Loop} of {About} failed and retries after a pause; the same cause is logged again only after a success")]
    public static partial void LoopFailed(this ILogger logger, string loop, string about, Exception exception);

    [LoggerMessage(1102, LogLevel.Information, "The {Loop} of {About} works again")]
    public static partial void LoopWorksAgain(this ILogger logger, string loop, string about);

    [LoggerMessage(1103, LogLevel.Warning,
        "The {Loop} of {About} did not stop within {Seconds} s and is abandoned; it ends when its pending call returns")]
    public static partial void LoopLeftBehind(this ILogger logger, string loop, string about, double seconds);

    [LoggerMessage(1104, LogLevel.Information, "Left out {Count} more messages like the previous one")]
    public static partial void MessagesLeftOut(this ILogger logger, long count);
}
