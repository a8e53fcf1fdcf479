using TrustixProxy.Apt;

namespace TrustixProxy.AptGate.Decisions;

/// <summary>A decision on a package's file.</summary>
/// <param name="Bundle">The verdict with its links.</param>
/// <param name="Until">When it is decided anew.</param>
public sealed record DebDecision(DebBundle Bundle, DateTimeOffset Until)
{
    public DebVerdict Verdict => Bundle.Verdict;
}
