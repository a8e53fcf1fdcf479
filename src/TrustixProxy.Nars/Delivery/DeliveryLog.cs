using Microsoft.Extensions.Logging;

namespace TrustixProxy.Nars.Delivery;

/// <summary>Log messages of this folder: event ids 52xx.</summary>
public static partial class DeliveryLog
{
    [LoggerMessage(5201, LogLevel.Error, "{Path}: the download failed: a bug in this proxy")]
    public static partial void DeliveryFailed(this ILogger logger, Exception exception, string path);

    [LoggerMessage(5202, LogLevel.Debug,
        "{Path}: cut a client's download: the first {Sent} bytes of its file were sent, and no other upstream's file follows them")]
    public static partial void DeliveryCut(this ILogger logger, string path, long sent);
}
