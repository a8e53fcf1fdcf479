using TrustixProxy.LogNode.Sequencing;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Api;

/// <summary>A log that the node keeps: its file, and who writes to it.</summary>
internal sealed record HostedLog(HostedLogOptions Options, LogDatabase Database, Sequencer Sequencer)
{
    /// <summary>What calls name it by.</summary>
    public string LogId { get; } = Options.Signer.Key.LogId;

    /// <summary>What calls of NodeAPI say of it.</summary>
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

/// <summary>The logs of a node, by id.</summary>
internal static class HostedLogs
{
    /// <summary>Answers for the log that a call names.</summary>
    public static ConnectAnswer On(this IReadOnlyDictionary<string, HostedLog> logs, string logId, Func<HostedLog, ConnectAnswer> answer) =>
        logs.TryGetValue(logId, out var log) ? answer(log)
            : ConnectAnswer.Fail(ConnectCode.NotFound, $"Log with ID '{logId}' is not published");
}
