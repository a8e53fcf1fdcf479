using Microsoft.Extensions.Logging;

namespace TrustixProxy.Substituter.Wanted;

/// <summary>Messages with the event ids 72xx, the work list.</summary>
internal static partial class WantedLog
{
    [LoggerMessage(7201, LogLevel.Warning, "The work list starts empty: its snapshot {Path} cannot be used ({Reason})")]
    public static partial void SnapshotRefused(this ILogger logger, string path, string reason);

    [LoggerMessage(7202, LogLevel.Warning, "The last changes of the work list were not written to {Path}: {Reason}")]
    public static partial void SnapshotNotWritten(this ILogger logger, string path, string reason);
}
