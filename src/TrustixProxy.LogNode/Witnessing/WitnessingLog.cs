using Microsoft.Extensions.Logging;

namespace TrustixProxy.LogNode.Witnessing;

/// <summary>Log messages of this folder: event ids 83xx.</summary>
internal static partial class WitnessingLog
{
    [LoggerMessage(8301, LogLevel.Error, "Log {Log}: signing has stopped: {Reason}")]
    public static partial void SigningStopped(this ILogger logger, string log, string reason);

    [LoggerMessage(8302, LogLevel.Warning, "Log {Log}: some witnesses did not cosign; {Effect}: {Problems}")]
    public static partial void WitnessesFailed(this ILogger logger, string log, string effect, string problems);

    [LoggerMessage(8303, LogLevel.Information, "Log {Log}: all witnesses cosign")]
    public static partial void WitnessesWork(this ILogger logger, string log);
}
