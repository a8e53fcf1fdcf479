using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Messages of this folder: 3xxx.</summary>
internal static partial class EvidenceLog
{
    [LoggerMessage(3001, LogLevel.Warning, "Log {Log}: its head was not taken in ({Reason}); the view stays as it was")]
    public static partial void HeadRefused(this ILogger logger, string log, SilenceReason reason);

    [LoggerMessage(3002, LogLevel.Critical, "Log {Log} is frozen: {Fault} between sizes {OlderSize} and {NewerSize}, shown by its own signatures; the evidence is kept")]
    public static partial void LogFrozen(this ILogger logger, string log, string fault, long olderSize, long newerSize);

    [LoggerMessage(3004, LogLevel.Error, "Log {Log}: its view could not be written to the state database ({Error}); until it can, a restart forgets it")]
    public static partial void ViewNotKept(this ILogger logger, string log, string error);

    [LoggerMessage(3003, LogLevel.Warning, "{Path}: {Log} dissents from the agreement after the answer had left: {Sentence}")]
    public static partial void LateDissent(this ILogger logger, string path, string log, string sentence);

    [LoggerMessage(3005, LogLevel.Error, "Log {Log}: the view that was kept in the state database is damaged; the one that this process knows, or the log's present head, takes its place")]
    public static partial void ViewDamaged(this ILogger logger, string log);
}
