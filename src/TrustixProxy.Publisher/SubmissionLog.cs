using Microsoft.Extensions.Logging;

namespace TrustixProxy.Publisher;

/// <summary>Log messages of this folder: event ids 90xx.</summary>
internal static partial class SubmissionLog
{
    [LoggerMessage(9001, LogLevel.Information, "Published {Paths} paths from {Jobs} jobs; excluded {Excluded} paths")]
    public static partial void Published(this ILogger logger, int paths, int jobs, int excluded);

    [LoggerMessage(9002, LogLevel.Warning,
        "Gave up job {Job}, in whole or in part: {Reason}. These outputs are not published; nothing else is affected")]
    public static partial void GivenUp(this ILogger logger, string job, string reason);

    [LoggerMessage(9003, LogLevel.Warning, "Moved job {Job} to rejected/: it {Reason}")]
    public static partial void Rejected(this ILogger logger, string job, string reason);

    [LoggerMessage(9004, LogLevel.Error, "The log refuses submissions; nothing is published until this is fixed: {Reason}")]
    public static partial void Refused(this ILogger logger, string reason);

    [LoggerMessage(9005, LogLevel.Warning, "Cannot reach the log; jobs waiting ({Jobs}): {Reason}")]
    public static partial void Unreachable(this ILogger logger, int jobs, string reason);

    [LoggerMessage(9006, LogLevel.Warning, "Cannot query Nix about the outputs; jobs waiting ({Jobs}): {Reason}")]
    public static partial void NoNix(this ILogger logger, int jobs, string reason);

    [LoggerMessage(9007, LogLevel.Error, "Cannot use the spool; nothing is published until this is fixed: {Reason}")]
    public static partial void SpoolFailed(this ILogger logger, string reason);

    [LoggerMessage(
        9008, LogLevel.Warning, "Not published, because this machine did not build them ({Paths}): {Names}. Set fetched to "
            + "publish such paths")]
    public static partial void NotBuiltHere(this ILogger logger, int paths, string names);

    [LoggerMessage(9009, LogLevel.Warning, "Not published, because they refer to paths that exclude matches ({Paths}): {Names}")]
    public static partial void NamesHidden(this ILogger logger, int paths, string names);

    [LoggerMessage(9010, LogLevel.Warning, "The log holds a different value than ours ({Paths}) and keeps the first one "
        + "submitted: {Names}. Compare the builds; trustix-proxy log conflicts lists both values")]
    public static partial void Contradicted(this ILogger logger, int paths, string names);

    [LoggerMessage(9011, LogLevel.Warning, "The log accepts no submissions at the moment; jobs waiting ({Jobs}): {Reason}")]
    public static partial void Busy(this ILogger logger, int jobs, string reason);

    [LoggerMessage(9012, LogLevel.Warning, "Cannot see what Guix builds; nothing new is published until this is fixed: {Reason}")]
    public static partial void NoGuix(this ILogger logger, string reason);

    [LoggerMessage(9013, LogLevel.Warning, "Not published, because a row of Guix's database is not understood: {Reason}")]
    public static partial void GuixRowLeftOut(this ILogger logger, string reason);
}
