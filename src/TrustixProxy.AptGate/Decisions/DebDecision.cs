using TrustixProxy.Apt;

namespace TrustixProxy.AptGate.Decisions;

/// <summary>A decision on a package's file.</summary>
/// <param name="Bundle">The verdict with its links.</param>
/// <param name="Until">When it is decided anew.</param>
public sealed record DebDecision(DebBundle Bundle, DateTimeOffset Until)
{
    public DebVerdict Verdict => Bundle.Verdict;

    /// <summary>Whether it stands at a time. One of the future was made by a clock that was ahead, and would stand too long.</summary>
    public bool IsInForce(DateTimeOffset now) => Bundle.DecidedAt <= now && now < Until;
}
