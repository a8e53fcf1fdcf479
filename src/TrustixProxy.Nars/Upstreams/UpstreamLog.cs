using Microsoft.Extensions.Logging;

namespace TrustixProxy.Nars.Upstreams;

/// <summary>Log messages of this folder: event ids 50xx.</summary>
public static partial class UpstreamLog
{
    [LoggerMessage(5001, LogLevel.Warning,
        "{Path}: refused the NAR from upstream {Upstream} ({Fault}); for a while this upstream is tried last for this path")]
    public static partial void NarRefused(this ILogger logger, string path, string upstream, NarFault fault);

    [LoggerMessage(5002, LogLevel.Warning, "Upstream {Upstream} is {Status}")]
    public static partial void UpstreamLeft(this ILogger logger, string upstream, string status);

    [LoggerMessage(5003, LogLevel.Information, "Upstream {Upstream} answers again")]
    public static partial void UpstreamIsBack(this ILogger logger, string upstream);

    [LoggerMessage(5004, LogLevel.Error, "Probing upstream {Upstream} failed: a bug in this program; probing continues")]
    public static partial void ProbingFailed(this ILogger logger, Exception exception, string upstream);
}
