using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;

namespace TrustixProxy.AptGate.Decisions;

/// <summary>Log messages of this folder: event ids 102xx.</summary>
internal static partial class DecisionsLog
{
    [LoggerMessage(10201, LogLevel.Warning, "{Outcome}: {File}: {Sentence}")]
    public static partial void Refused(this ILogger logger, Outcome outcome, string file, string sentence);
}
