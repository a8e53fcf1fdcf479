using Microsoft.Extensions.Logging;

namespace TrustixProxy.Substituter.Operations;

/// <summary>Messages of this folder: 1xxx.</summary>
internal static partial class OperationsLog
{
    [LoggerMessage(1001, LogLevel.Error, "There is no control socket at {Path} ({Reason}): verbs such as revoke write to the state database, and are heard of within a second")]
    public static partial void NoControlSocket(this ILogger logger, string path, string reason);
}
