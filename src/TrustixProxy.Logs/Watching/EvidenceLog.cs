using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;

namespace TrustixProxy.Logs.Watching;

/// <summary>Log messages of this folder: event ids 30xx.</summary>
public static partial class EvidenceLog
{
    [LoggerMessage(3001, LogLevel.Warning, "Log {Log}: rejected its head ({Reason}); the view is unchanged")]
    public static partial void HeadRefused(this ILogger logger, string log, SilenceReason reason);

    [LoggerMessage(
        3002, LogLevel.Critical, "Log {Log} is frozen: {Fault}, shown by {Source} under the log's own signatures; the evidence is {File}")]
    public static partial void LogFrozen(this ILogger logger, string log, string fault, string source, string file);

    [LoggerMessage(3003, LogLevel.Warning, "{Path}: {Log} dissents from the agreement, after the answer was sent: {Sentence}")]
    public static partial void LateDissent(this ILogger logger, string path, string log, string sentence);

    [LoggerMessage(3004, LogLevel.Error,
        "Log {Log}: cannot write its view to the state database ({Error}); a restart before a write succeeds loses the view")]
    public static partial void ViewNotKept(this ILogger logger, string log, string error);

    [LoggerMessage(3005, LogLevel.Error, "Log {Log}: its view in the state database is damaged; it is replaced by this process's "
        + "view, or by the log's current head")]
    public static partial void ViewDamaged(this ILogger logger, string log);

    [LoggerMessage(3006, LogLevel.Error, "Cannot write the evidence file {File} ({Error}); the state database holds the evidence")]
    public static partial void EvidenceFileNotWritten(this ILogger logger, string file, string error);

    [LoggerMessage(3007, LogLevel.Warning, "Log {Log} was unfrozen by an operator: it votes again, starting from its current head")]
    public static partial void LogUnfrozen(this ILogger logger, string log);

    [LoggerMessage(3008, LogLevel.Warning, "Gossip with {Peer} failed: {Reason}")]
    public static partial void GossipFailed(this ILogger logger, Uri peer, string reason);

    [LoggerMessage(3009, LogLevel.Warning,
        "Log {Log} gives no inclusion proofs, so none of its votes count; set inclusionProof to optional")]
    public static partial void NoInclusionProofs(this ILogger logger, string log);

    [LoggerMessage(3010, LogLevel.Warning,
        "Log {Log}: its head of size {Size} is unwitnessed, so its votes under it do not count: {Reason}")]
    public static partial void HeadUnwitnessed(this ILogger logger, string log, long size, string reason);

    [LoggerMessage(3011, LogLevel.Information, "Log {Log}: its head is witnessed again")]
    public static partial void HeadWitnessed(this ILogger logger, string log);

    [LoggerMessage(3012, LogLevel.Error,
        "Log {Log}: the state database refused to keep or to read the age of its heads ({Error}); its votes count as new")]
    public static partial void HeadAgeNotKept(this ILogger logger, string log, string error);
}
