using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>What came of a submission that the log took.</summary>
/// <param name="Refused">Statements that the log does not take even alone, and why.</param>
/// <param name="Contradicted">Paths for which the log holds another value, which came first.</param>
public sealed record Submission(IReadOnlyList<(BuildStatement Statement, string Reason)> Refused, IReadOnlyList<StorePath> Contradicted);

/// <summary>Why a log did not take what it was given.</summary>
public enum SubmissionFault
{
    /// <summary>It could not be asked.</summary>
    Unreachable,

    /// <summary>It was asked, and could not do it now.</summary>
    Busy,

    /// <summary>It said no, and would again: a token that it does not take, or a log that it does not have.</summary>
    Refused,

    /// <summary>It does not take that much in one call, or one of the items.</summary>
    TooMuch,
}

/// <summary>A log did not take what it was given.</summary>
/// <param name="message">Why.</param>
/// <param name="kind">What kind of reason that is.</param>
public sealed class SubmissionException(string message, SubmissionFault kind = SubmissionFault.Unreachable) : Exception(message)
{
    /// <summary>What kind of reason it is.</summary>
    public SubmissionFault Kind { get; } = kind;
}
