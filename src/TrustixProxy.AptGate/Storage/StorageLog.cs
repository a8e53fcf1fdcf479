using Microsoft.Extensions.Logging;

namespace TrustixProxy.AptGate.Storage;

/// <summary>Log messages of this folder: event ids 100xx.</summary>
internal static partial class StorageLog
{
    [LoggerMessage(10001, LogLevel.Warning, "The store {Directory} refuses a file ({Reason}); serving continues, and the file is not kept")]
    public static partial void StoreRefused(this ILogger logger, string directory, string reason);

    [LoggerMessage(10002, LogLevel.Warning, "The stored file {Sha256} is gone or damaged; it is fetched again")]
    public static partial void StoredFileDamaged(this ILogger logger, string sha256);

    [LoggerMessage(10003, LogLevel.Error, "The store {Directory} refuses a file on its way ({Reason}); its clients get 502")]
    public static partial void PassingFileRefused(this ILogger logger, string directory, string reason);
}
