using Microsoft.Extensions.Logging;

namespace TrustixProxy.Substituter.Hosting;

/// <summary>Messages with the event ids 10xx, start and operation.</summary>
internal static partial class OperationsLog
{
    [LoggerMessage(1002, LogLevel.Information, "The previous configuration has finished its last request")]
    public static partial void ReplacedProxyEnded(this ILogger logger);

    [LoggerMessage(1003, LogLevel.Error, "Cannot release the resources of the previous configuration")]
    public static partial void ReplacedProxyFailed(this ILogger logger, Exception exception);
}
