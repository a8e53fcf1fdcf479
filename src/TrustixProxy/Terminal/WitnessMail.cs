using TrustixProxy.LogNode.Hosting;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Terminal;

/// <summary>Says how public witnesses come to cosign a log.</summary>
internal static class WitnessMail
{
    /// <summary>Returns the verifier keys of logs, two for each, and what to mail to the witness network; nothing without logs.</summary>
    /// <param name="logs">The origins and keys of the logs.</param>
    public static IEnumerable<string> Lines(params IEnumerable<(string Origin, LogKey Key)> logs)
    {
        string[] keys = [.. logs.SelectMany(
            log => new[] { log.Origin, log.Origin + Checkpoint.MapHeads }, (log, name) => $"vkey {VerifierKey.OfLog(name, log.Key)}")];
        return keys is [] ? []
            : [.. keys, "To have public witnesses cosign a log, send a mail to participate (at) lists.witness-network.org:",
                "both vkeys of the log, the largest number of heads a day, and a contact."];
    }

    /// <summary>Returns the same for those of a node's logs that have an origin.</summary>
    public static IEnumerable<string> Lines(LogNodeOptions node) =>
        Lines(node.Logs.Where(log => log.Origin is not null).Select(log => (log.Origin!, log.Signer.Key)));
}
