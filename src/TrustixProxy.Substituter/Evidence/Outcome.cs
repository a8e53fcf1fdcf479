using System.Collections.Frozen;
using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Evidence;

/// <summary>What came of asking everyone about a digest.</summary>
internal abstract record Outcome
{
    /// <summary>The path whose electors were heard; null when no name is known.</summary>
    public StorePath? Decided => this switch { Served served => served.Record.Claim!.Path, Refused refused => refused.Path, _ => null };

    /// <summary>A claim is served, and an upstream has its NAR.</summary>
    /// <param name="Record">The decision.</param>
    /// <param name="Verdict">What the electors' answers come to.</param>
    public sealed record Served(DecisionRecord Record, Verdict Verdict) : Outcome;

    /// <summary>Nothing is served.</summary>
    /// <param name="Word">The word that stands in <c>X-Trustix-Decision</c>.</param>
    /// <param name="Sentence">The reason in one line.</param>
    /// <param name="Path">The path whose electors were heard; null when no name is known.</param>
    /// <param name="Verdict">What the electors' answers come to; null when nobody could be asked, as no name is known.</param>
    /// <param name="IsSettled">Whether everyone has spoken: it may be remembered for a while.</param>
    /// <param name="WasCutShort">Whether someone who failed to answer before the deadline could have changed it.</param>
    public sealed record Refused(string Word, string Sentence, StorePath? Path, Verdict? Verdict, bool IsSettled, bool WasCutShort)
        : Outcome
    {
        /// <summary>Whether two names of the digest are granted.</summary>
        public bool IsContested { get; init; }

        /// <summary>The verdicts on all names of the digest; null for one that was still open.</summary>
        public IReadOnlyDictionary<StorePath, Verdict?> Names { get; init; } = FrozenDictionary<StorePath, Verdict?>.Empty;
    }
}

/// <summary>What all answers come to when the asking is over and an answer had left before.</summary>
/// <param name="Outcome">What had left.</param>
/// <param name="All">What all answers on its path come to.</param>
/// <param name="IsSettled">Whether everyone has spoken.</param>
/// <param name="Contesting">Other names of the digest that are granted; empty unless the answer was wrong to leave.</param>
internal sealed record Settlement(Outcome Outcome, Verdict All, bool IsSettled, ImmutableArray<StorePath> Contesting);
