using Microsoft.Extensions.Logging;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>Log messages of this folder: event ids 31xx.</summary>
public static partial class MirrorLog
{
    [LoggerMessage(3101, LogLevel.Information, "Mirror of {Log}: verified and stored {Size} of {TreeSize} entries")]
    public static partial void MirrorFollows(this ILogger logger, string log, long size, long treeSize);

    [LoggerMessage(
        3102, LogLevel.Information, "Mirror of {Log}: all {Size} entries match the signed log and map; lookups are now answered "
            + "from the mirror")]
    public static partial void MirrorIsThere(this ILogger logger, string log, long size);

    [LoggerMessage(3103, LogLevel.Warning, "Mirror of {Log} made no progress: {Failure}")]
    public static partial void MirrorFails(this ILogger logger, string log, string failure);

    [LoggerMessage(3104, LogLevel.Warning, "Mirror of {Log} was still busy at shutdown; it closes when its work ends")]
    public static partial void MirrorClosesLater(this ILogger logger, string log);
}
