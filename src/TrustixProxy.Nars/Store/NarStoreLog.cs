using Microsoft.Extensions.Logging;

namespace TrustixProxy.Nars.Store;

/// <summary>Log messages of this folder: event ids 51xx.</summary>
public static partial class NarStoreLog
{
    [LoggerMessage(5101, LogLevel.Information, "The NAR store {Directory} has {Files} NARs of {Bytes} bytes")]
    public static partial void Opened(this ILogger logger, string directory, int files, long bytes);

    [LoggerMessage(5102, LogLevel.Warning,
        "The NAR store {Directory} stores no more for {Seconds} s ({Reason}); what it has, and what upstreams have, is served on")]
    public static partial void DiskRefused(this ILogger logger, string directory, int seconds, string reason);

    [LoggerMessage(5103, LogLevel.Information, "The NAR store {Directory} stores again")]
    public static partial void StoresAgain(this ILogger logger, string directory);

    [LoggerMessage(
        5104, LogLevel.Warning, "{File} is not what its name says ({Fault}): it is deleted, and was not served since this process runs")]
    public static partial void Damaged(this ILogger logger, string file, NarFault fault);

    [LoggerMessage(5105, LogLevel.Warning, "{File} cannot be read, and is no longer served: {Reason}")]
    public static partial void Unreadable(this ILogger logger, string file, string reason);

    [LoggerMessage(5106, LogLevel.Warning, "{File} is not stored: there is no room beside what is pinned")]
    public static partial void NoRoom(this ILogger logger, string file);
}
