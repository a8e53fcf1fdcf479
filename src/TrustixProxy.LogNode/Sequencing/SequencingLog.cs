using Microsoft.Extensions.Logging;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>Log messages of this folder: event ids 81xx.</summary>
internal static partial class SequencingLog
{
    [LoggerMessage(8101, LogLevel.Error,
        "Log {Log}: a write failed; its submissions are answered with an error, and acknowledged entries are safe")]
    public static partial void WriteFailed(this ILogger logger, Exception exception, string log);

    [LoggerMessage(8102, LogLevel.Warning,
        "Log {Log}: {Conflicts} submitted values differ from the values the log holds for their keys; list them with "
            + "trustix-proxy log conflicts")]
    public static partial void ConflictsSeen(this ILogger logger, string log, int conflicts);
}
