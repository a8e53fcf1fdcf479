using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>A claim that an elector proved.</summary>
/// <param name="Since">Since when this process knows it.</param>
internal sealed record KnownClaim(OutputClaim Claim, DateTimeOffset Since);

/// <summary>The last decision on a path, kept for display.</summary>
/// <param name="Outcome">What was decided.</param>
/// <param name="Sentence">The reason in one line.</param>
/// <param name="Votes">What each elector had said, in the end: who answered after the decision had left, too.</param>
internal sealed record JournalEntry(
    StorePathDigest Digest, StorePath Path, Outcome Outcome, string Sentence, DateTimeOffset At, ImmutableArray<AnswerText> Votes)
{
    /// <summary>The claim that the policy granted; null if it granted none.</summary>
    public OutputClaim? Granted { get; init; }

    /// <summary>Names of the electors that answered after the decision had left.</summary>
    public ImmutableArray<string> Late { get; init; } = [];

    /// <summary>The last claim that each elector proved, by its name; an elector that is silent now keeps it.</summary>
    public ImmutableSortedDictionary<string, KnownClaim> Known { get; init; } = None;

    /// <summary>No claims.</summary>
    public static ImmutableSortedDictionary<string, KnownClaim> None { get; } =
        ImmutableSortedDictionary.Create<string, KnownClaim>(StringComparer.Ordinal);

    /// <summary>Whether different claims are proven.</summary>
    public bool IsDisputed => Votes.Select(vote => vote.Claim).OfType<OutputClaim>().Distinct().Skip(1).Any();

    /// <summary>Returns the entry once later answers are in.</summary>
    public JournalEntry With(ImmutableArray<AnswerText> votes)
    {
        var waited = Votes.Where(vote => vote.Kind is VoteKind.NotHeard).Select(vote => vote.Elector).ToHashSet();
        var late = votes.Where(vote => vote.Kind is not VoteKind.NotHeard && waited.Contains(vote.Elector));
        return this with { Votes = votes, Late = [.. late.Select(vote => vote.Elector)] };
    }
}
