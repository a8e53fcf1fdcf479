using Microsoft.Extensions.Logging;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>Log messages of this folder: event ids 31xx.</summary>
public static partial class MirrorLog
{
    [LoggerMessage(3101, LogLevel.Information, "Mirror of {Log}: {Size} of {TreeSize} entries verified and kept")]
    public static partial void MirrorFollows(this ILogger logger, string log, long size, long treeSize);

    [LoggerMessage(
        3102, LogLevel.Information, "Mirror of {Log}: all {Size} entries make the log and the map that it signed; it answers from here")]
    public static partial void MirrorIsThere(this ILogger logger, string log, long size);

    [LoggerMessage(3103, LogLevel.Warning, "Mirror of {Log} stays where it was: {Failure}")]
    public static partial void MirrorFails(this ILogger logger, string log, string failure);

    [LoggerMessage(3104, LogLevel.Warning, "Mirror of {Log} was still at work when it was to be closed; it closes when that work ends")]
    public static partial void MirrorClosesLater(this ILogger logger, string log);
}
