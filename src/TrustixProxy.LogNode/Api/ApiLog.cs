using Microsoft.Extensions.Logging;

namespace TrustixProxy.LogNode.Api;

/// <summary>Log messages of this folder: event ids 80xx.</summary>
internal static partial class ApiLog
{
    [LoggerMessage(8001, LogLevel.Error, "The call {Procedure} failed by a fault of this program or its disk")]
    public static partial void CallFailed(this ILogger logger, Exception exception, string procedure);
}
