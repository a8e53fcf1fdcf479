using Microsoft.Extensions.Logging;

namespace TrustixProxy.Nars.Store;

/// <summary>Log messages of this folder: event ids 51xx.</summary>
public static partial class NarStoreLog
{
    [LoggerMessage(5101, LogLevel.Information, "The NAR store {Directory} has {Files} NARs of {Bytes} bytes")]
    public static partial void Opened(this ILogger logger, string directory, int files, long bytes);

    [LoggerMessage(5102, LogLevel.Warning,
        "The NAR store {Directory} pauses writing for {Seconds} s after a disk error ({Reason}); serving continues")]
    public static partial void DiskRefused(this ILogger logger, string directory, int seconds, string reason);

    [LoggerMessage(5103, LogLevel.Information, "The NAR store {Directory} writes again")]
    public static partial void StoresAgain(this ILogger logger, string directory);

    [LoggerMessage(
        5104, LogLevel.Warning, "{File} does not match its name ({Fault}) and is deleted; this process never served it")]
    public static partial void Damaged(this ILogger logger, string file, NarFault fault);

    [LoggerMessage(5105, LogLevel.Warning, "Cannot read {File}; it is no longer served: {Reason}")]
    public static partial void Unreadable(this ILogger logger, string file, string reason);

    [LoggerMessage(5106, LogLevel.Warning, "{File} is not stored: pinned NARs leave no room for it")]
    public static partial void NoRoom(this ILogger logger, string file);

    [LoggerMessage(5107, LogLevel.Warning, "The shared store {Bucket} gets no NARs for {Seconds} s: {Reason}")]
    public static partial void UploadsPause(this ILogger logger, string bucket, int seconds, string reason);
}
