using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Api;

/// <summary>A log that the node hosts: its file and its writer.</summary>
internal sealed record HostedLog(HostedLogOptions Options, LogDatabase Database, Sequencer Sequencer)
{
    /// <summary>The log's id in calls.</summary>
    public string LogId { get; } = Options.Signer.Key.LogId;

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
