using Microsoft.Extensions.Logging;

namespace TrustixProxy.Publisher;

/// <summary>Log messages of this folder: event ids 90xx.</summary>
internal static partial class SubmissionLog
{
    [LoggerMessage(9001, LogLevel.Information, "Published {Paths} paths of {Jobs} jobs; {Excluded} paths are excluded")]
    public static partial void Published(this ILogger logger, int paths, int jobs, int excluded);

    [LoggerMessage(9002, LogLevel.Warning,
        "Job {Job} is given up, in whole or in part: {Reason}. What was built is not published; nothing else is affected")]
    public static partial void GivenUp(this ILogger logger, string job, string reason);

    [LoggerMessage(9003, LogLevel.Warning, "Job {Job} is put into rejected/: it {Reason}")]
    public static partial void Rejected(this ILogger logger, string job, string reason);

    [LoggerMessage(9004, LogLevel.Error, "The log refuses what is submitted; nothing is published until that is put right: {Reason}")]
    public static partial void Refused(this ILogger logger, string reason);

    [LoggerMessage(9005, LogLevel.Warning, "The log cannot be reached, jobs wait ({Jobs}): {Reason}")]
    public static partial void Unreachable(this ILogger logger, int jobs, string reason);

    [LoggerMessage(9006, LogLevel.Warning, "Nix cannot be asked about what was built, jobs wait ({Jobs}): {Reason}")]
    public static partial void NoNix(this ILogger logger, int jobs, string reason);

    [LoggerMessage(9007, LogLevel.Error, "The spool cannot be used, nothing is published until that is put right: {Reason}")]
    public static partial void SpoolFailed(this ILogger logger, string reason);

    [LoggerMessage(
        9008, LogLevel.Warning, "Not published, as this machine has not built them ({Paths}): {Names}. Set fetched to publish such paths")]
    public static partial void NotBuiltHere(this ILogger logger, int paths, string names);

    [LoggerMessage(9009, LogLevel.Warning, "Not published, as they refer to what exclude holds back ({Paths}): {Names}")]
    public static partial void NamesHidden(this ILogger logger, int paths, string names);

    [LoggerMessage(9010, LogLevel.Warning, "The log holds another value than ours ({Paths}), and keeps the first that it was given: "
        + "{Names}. Compare the builds; trustix-proxy log conflicts lists both values")]
    public static partial void Contradicted(this ILogger logger, int paths, string names);

    [LoggerMessage(9011, LogLevel.Warning, "The log does not take what is submitted now, jobs wait ({Jobs}): {Reason}")]
    public static partial void Busy(this ILogger logger, int jobs, string reason);
}
