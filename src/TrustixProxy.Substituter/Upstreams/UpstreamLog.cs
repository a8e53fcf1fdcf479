using Microsoft.Extensions.Logging;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>Messages of this folder: 5xxx.</summary>
internal static partial class UpstreamLog
{
    [LoggerMessage(5001, LogLevel.Warning, "{Path}: the NAR from upstream {Upstream} is refused ({Fault}); it is asked last for this path for a while")]
    public static partial void NarRefused(this ILogger logger, string path, string upstream, NarFault fault);
}
