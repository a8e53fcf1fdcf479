using Microsoft.Extensions.Logging;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>Messages of this folder: 6xxx.</summary>
internal static partial class SequencingLog
{
    [LoggerMessage(6001, LogLevel.Error, "Log {Log}: a write failed; what was asked for is answered with an error, and what was acknowledged before is safe")]
    public static partial void WriteFailed(this ILogger logger, Exception exception, string log);
}
