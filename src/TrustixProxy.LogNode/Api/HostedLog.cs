using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.LogNode.Witnessing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Api;

/// <summary>A log that the node hosts: its file, its writer, and what has witnesses cosign its heads; null for a log without
/// witnesses.</summary>
internal sealed record HostedLog(HostedLogOptions Options, LogDatabase Database, Sequencer Sequencer, Cosigner? Cosigner)
{
    /// <summary>The log's id in calls.</summary>
    public string LogId { get; } = Options.Signer.Key.LogId;

    /// <summary>What hinders the log, with its name; null when nothing does.</summary>
    public string? Lack =>
        Sequencer.HasFailed ? $"{Options.Name}: the last write failed"
        : Sequencer.Refusal is { } refusal ? $"{Options.Name}: signing has stopped: {refusal}"
        : Cosigner?.Status.Lack is { } lack ? $"{Options.Name}: {lack}"
        : null;

    /// <summary>Describes the log for NodeAPI calls.</summary>
    public Log Describe() => new()
    {
        LogID = LogId,
        Mode = Log.Types.LogModes.Log,
        Protocol = LogKey.NixProtocol,
        Signer = new TransparencyLog.Wire.LogSigner
        {
            KeyType = TransparencyLog.Wire.LogSigner.Types.KeyTypes.Ed25519,
            Public = Options.Signer.Key.ToString()
        },
        Meta = { ["name"] = Options.Name },
    };
}

/// <summary>The node's logs, by id.</summary>
internal static class HostedLogs
{
    /// <summary>Handles a call for the log it names.</summary>
    public static ConnectAnswer On(this IReadOnlyDictionary<string, HostedLog> logs, string logId, Func<HostedLog, ConnectAnswer> answer) =>
        logs.TryGetValue(logId, out var log) ? answer(log)
            : ConnectAnswer.Fail(ConnectCode.NotFound, $"Log with ID '{logId}' is not published");
}
