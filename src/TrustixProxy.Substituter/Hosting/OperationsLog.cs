using Microsoft.Extensions.Logging;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Messages with the event ids 10xx, start and operation.</summary>
internal static partial class OperationsLog
{
    [LoggerMessage(1002, LogLevel.Information, "The configuration before this one has answered its last request")]
    public static partial void GenerationEnded(this ILogger logger);

    [LoggerMessage(1003, LogLevel.Error, "What served the configuration before this one could not be ended")]
    public static partial void GenerationFailed(this ILogger logger, Exception exception);
}
