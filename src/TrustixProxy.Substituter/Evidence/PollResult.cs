using System.Collections.Frozen;
using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>Result of polling all electors about a digest.</summary>
internal abstract record PollResult
{
    /// <summary>The path the electors were asked about; null if no name is known.</summary>
    public StorePath? Decided => this switch { Served served => served.Record.Claim!.Path, Refused refused => refused.Path, _ => null };

    /// <summary>If the electors do not agree, the derivations that upstreams name for the path; untrusted.</summary>
    public ImmutableArray<StorePath> Derivers { get; init; } = [];

    /// <summary>A claim is served, and an upstream has its NAR.</summary>
    /// <param name="Verdict">Verdict on the electors' answers.</param>
    public sealed record Served(DecisionRecord Record, Verdict Verdict) : PollResult;

    /// <summary>Nothing is served.</summary>
    /// <param name="Outcome">Why nothing is served.</param>
    /// <param name="Sentence">The reason in one line.</param>
    /// <param name="Path">The path the electors were asked about; null if no name is known.</param>
    /// <param name="Verdict">Verdict on the electors' answers; null if no elector could be asked, because no name is known.</param>
    /// <param name="IsSettled">Whether all electors answered, so that it may be cached for a while.</param>
    /// <param name="WasCutShort">Whether an elector that missed the deadline could have changed it.</param>
    public sealed record Refused(Outcome Outcome, string Sentence, StorePath? Path, Verdict? Verdict, bool IsSettled, bool WasCutShort)
        : PollResult
    {
        /// <summary>Whether two names of the digest are granted.</summary>
        public bool IsContested { get; init; }

        /// <summary>The verdicts on all names of the digest; null for an open one.</summary>
        public IReadOnlyDictionary<StorePath, Verdict?> Names { get; init; } = FrozenDictionary<StorePath, Verdict?>.Empty;
    }
}

/// <summary>The final result of a poll whose answer was sent earlier.</summary>
/// <param name="Result">The answer that was sent.</param>
/// <param name="All">Verdict on all answers for its path.</param>
/// <param name="IsSettled">Whether all electors answered.</param>
/// <param name="Contesting">Other granted names of the digest; empty unless the answer should not have been sent.</param>
internal sealed record Settlement(PollResult Result, Verdict All, bool IsSettled, ImmutableArray<StorePath> Contesting)
{
    /// <summary>Whether everyone was waited for as long as there is time: who has not spoken then is silent.</summary>
    public bool IsHeardOut { get; init; } = true;

    /// <summary>Time to each elector's latest answer, by name; an elector that has not spoken is not in it.</summary>
    public IReadOnlyDictionary<string, TimeSpan> Latencies { get; init; } = FrozenDictionary<string, TimeSpan>.Empty;
}
