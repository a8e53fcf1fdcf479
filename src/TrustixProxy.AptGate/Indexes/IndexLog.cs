using Microsoft.Extensions.Logging;

namespace TrustixProxy.AptGate.Indexes;

/// <summary>Log messages of this folder: event ids 101xx.</summary>
internal static partial class IndexLog
{
    [LoggerMessage(10101, LogLevel.Information, "Read an index of {Archive}: {Path} names {Packages} packages; left out {Skipped}")]
    public static partial void IndexRead(this ILogger logger, string archive, string path, long packages, long skipped);

    [LoggerMessage(10102, LogLevel.Warning, "Cannot read an index of {Archive}: {Path} ({Reason}). Packages that no other index names are "
        + "fetched whole before they are decided")]
    public static partial void IndexUnread(this ILogger logger, string archive, string path, string reason);
}
