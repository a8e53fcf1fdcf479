using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Wanted;

/// <summary>What an undecided path lacks.</summary>
internal enum WantedReason
{
    /// <summary>More votes: nobody has proven an output, or several operators prove the same and the rule needs still more.</summary>
    Votes,

    /// <summary>A second opinion: one operator alone proves an output.</summary>
    SecondOpinion,

    /// <summary>A tie-break: different outputs are proven.</summary>
    TieBreak,
}

/// <summary>A path that the policy could not decide.</summary>
/// <param name="Missing">Names of electors that count and have no vote; at most <see cref="MaxMissing"/>.</param>
/// <param name="Derivers">Derivations that upstreams name, untrusted; at most <see cref="MaxDerivers"/>.</param>
internal sealed record WantedPath(StorePath Path, WantedReason Reason, ImmutableArray<string> Missing, ImmutableArray<StorePath> Derivers)
{
    public const int MaxMissing = 16, MaxDerivers = 4;

    private const int FixedSize = 300, TextSize = 200;

    /// <summary>Estimated bytes in memory.</summary>
    public int Size => FixedSize + (8 * Missing.Length) + Derivers.Sum(deriver => TextSize + (4 * deriver.Name.Length));

    /// <summary>Returns what a path lacks; null if nobody names a path, the verdict grants it, or no further vote
    /// would.</summary>
    /// <param name="path">The path the electors were asked about; null if no name is known.</param>
    /// <param name="verdict">The verdict on their answers; null if none could be asked.</param>
    public static WantedPath? Of(StorePath? path, Verdict? verdict, IEnumerable<StorePath> derivers)
    {
        if (path is null || verdict is not (Verdict.Undecided or Verdict.Conflict) || verdict.IsTooYoung
            || !verdict.Rule.AllOperators.Any())
        {
            return null;
        }

        var counted = verdict.Rule.AllOperators.ToHashSet();
        var answers = verdict.Answers.Where(answer => counted.Contains(answer.Elector.Operator)).ToList();
        var voters = answers.Where(HasVoted).Select(answer => answer.Elector.Operator).Distinct().Count();
        var missing = answers.Where(answer => !HasVoted(answer)).Select(answer => answer.Elector.Name).Take(MaxMissing).ToList();
        var reason = verdict is Verdict.Conflict ? WantedReason.TieBreak : voters is 1 ? WantedReason.SecondOpinion : WantedReason.Votes;
        return missing.Count is 0 && reason is not WantedReason.TieBreak ? null // all have voted, and only time helps
            : new WantedPath(path, reason, [.. missing], [.. derivers.Distinct().Take(MaxDerivers)]);
    }

    /// <summary>Whether another instance says the same.</summary>
    public bool IsSame(WantedPath other) => (Path, Reason) == (other.Path, other.Reason) && Missing.SequenceEqual(other.Missing)
        && Derivers.SequenceEqual(other.Derivers);

    private static bool HasVoted(Answer answer) => answer.Ballot is Ballot.Claimed;
}
