using Microsoft.Extensions.Logging;

namespace TrustixProxy.LogNode.Api;

/// <summary>Log messages of this folder: event ids 80xx.</summary>
internal static partial class ApiLog
{
    [LoggerMessage(8001, LogLevel.Error, "The call {Procedure} failed: a bug in this program or a disk error")]
    public static partial void CallFailed(this ILogger logger, Exception exception, string procedure);
}
