using Microsoft.Extensions.Logging;

namespace TrustixProxy.Substituter.Traces;

/// <summary>Messages with the event ids 41xx, build traces.</summary>
internal static partial class TraceLog
{
    [LoggerMessage(4101, LogLevel.Warning, "Refused the build trace {Key} (conflict): {Sentence}")]
    public static partial void TraceConflict(this ILogger logger, string key, string sentence);
}
