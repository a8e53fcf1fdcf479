using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>The result of an accepted submission.</summary>
/// <param name="Refused">Statements that the log refuses even alone, with the reason.</param>
/// <param name="Contradicted">Paths for which the log holds another, earlier value.</param>
public sealed record Submission(IReadOnlyList<(BuildStatement Statement, string Reason)> Refused, IReadOnlyList<StorePath> Contradicted);

/// <summary>Why a log did not accept a submission.</summary>
public enum SubmissionFault
{
    /// <summary>It could not be reached.</summary>
    Unreachable,

    /// <summary>It was reached, but is busy.</summary>
    Busy,

    /// <summary>It refused permanently: an invalid token, or an unknown log.</summary>
    Refused,

    /// <summary>The call or one of its items is too large.</summary>
    TooMuch,
}

/// <summary>Signals that a log did not accept a submission.</summary>
public sealed class SubmissionException(string message, SubmissionFault kind = SubmissionFault.Unreachable) : Exception(message)
{
    /// <summary>The kind of failure.</summary>
    public SubmissionFault Kind { get; } = kind;
}
