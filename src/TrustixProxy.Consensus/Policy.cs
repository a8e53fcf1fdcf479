using System.Collections.Immutable;
using System.Text;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Consensus;

/// <summary>What a proven claim other than the quorum's does.</summary>
public enum Dissent
{
    /// <summary>It is outvoted.</summary>
    Outvoted,

    /// <summary>It refuses the path.</summary>
    Veto,
}

/// <summary>Who is asked, and how many must agree. Counts over all who were declared, never over those who happened to answer.</summary>
public sealed class Policy
{
    private readonly ImmutableArray<IGrouping<string, Elector>> _operators;

    /// <summary>Declares an electorate.</summary>
    /// <param name="electors">No name and no key twice. None at all agree on nothing.</param>
    /// <param name="quorum">How many operators must agree, from 1 to all; null for a majority.</param>
    /// <param name="dissent">What one that proves something else does.</param>
    /// <exception cref="ArgumentException">A name or key occurs twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The quorum cannot be reached, or is nothing.</exception>
    public Policy(IEnumerable<Elector> electors, int? quorum = null, Dissent dissent = Dissent.Outvoted)
    {
        Electors = [.. electors];
        _operators = [.. Electors.GroupBy(elector => elector.Operator)];
        if (Electors.DistinctBy(elector => elector.Name).Count() != Electors.Length
            || Electors.DistinctBy(elector => elector.Key).Count() != Electors.Length)
        {
            throw new ArgumentException("An electorate has each name and each key once.", nameof(electors));
        }

        Quorum = quorum ?? Majority(Operators);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Quorum, nameof(quorum));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Quorum, Math.Max(1, Operators), nameof(quorum));
        Dissent = dissent;
        Identity = Digest.Of(Encoding.UTF8.GetBytes(
            $"policy 1\nquorum {Quorum}\ndissent {dissent}\n{string.Join('\n', Electors.Select(elector => elector.Identity).Order(StringComparer.Ordinal))}"));
    }

    /// <summary>Who is asked.</summary>
    public ImmutableArray<Elector> Electors { get; }

    /// <summary>How many operators must agree.</summary>
    public int Quorum { get; }

    /// <summary>What a proven claim other than the quorum's does.</summary>
    public Dissent Dissent { get; }

    /// <summary>How many operators there are.</summary>
    public int Operators => _operators.Length;

    /// <summary>The policy's digest: another electorate or rule has another one. Addresses and timeouts are no part of it.</summary>
    public Digest Identity { get; }

    /// <summary>The smallest number that is more than half.</summary>
    public static int Majority(int operators) => (operators / 2) + 1;

    /// <summary>The verdict when no more answers will be waited for: who has no ballot is silent.</summary>
    /// <param name="ballots">Ballots by elector name; the order in which they came is of no account.</param>
    public Verdict Decide(IReadOnlyDictionary<string, Ballot> ballots)
    {
        var all = Electors.ToDictionary(elector => elector.Name, elector => ballots.GetValueOrDefault(elector.Name) ?? new Ballot.Silent(SilenceReason.NoAnswer));
        return TryDecide(all, out var verdict) ? verdict : throw new System.Diagnostics.UnreachableException("With every ballot in, nothing is open.");
    }

    /// <summary>The verdict that no answer of those who have no ballot yet could change; false while one could.</summary>
    /// <param name="ballots">Ballots by elector name; who is not in it has not answered yet.</param>
    /// <param name="verdict">The verdict, the same that all answers would lead to.</param>
    public bool TryDecide(IReadOnlyDictionary<string, Ballot> ballots, [NotNullWhen(true)] out Verdict? verdict)
    {
        var tally = Count(ballots);
        var winners = tally.Votes.Where(entry => entry.Value >= Quorum).Select(entry => entry.Key).ToList();
        var rivals = tally.Votes.Keys.Count(claim => !winners.Contains(claim) && tally.Reach(claim) >= Quorum) + (tally.Open >= Quorum ? 1 : 0);
        var hasDissent = tally.Votes.Count >= 2;
        var mayDissent = Dissent is Dissent.Veto && tally.IsWaiting;
        verdict = (winners.Count, Dissent) switch
        {
            (_, Dissent.Veto) when hasDissent => new Verdict.Conflict(ConflictReason.Veto, Quorum, Operators, Answers(ballots)),
            ( >= 2, _) => new Verdict.Conflict(ConflictReason.TwoQuorums, Quorum, Operators, Answers(ballots)),
            (_, _) when rivals > 0 => null,
            (1, _) when mayDissent => null,
            (1, _) => new Verdict.Agreed(winners[0], Quorum, Operators, Answers(ballots)),
            (0, _) when hasDissent => new Verdict.Conflict(ConflictReason.NoQuorum, Quorum, Operators, Answers(ballots)),
            (0, _) when tally.IsWaiting => null,
            _ => new Verdict.Undecided(Quorum, Operators, Answers(ballots)),
        };
        return verdict is not null;
    }

    /// <summary>Whether a quorum could still come about if all who have no ballot yet said what it takes.</summary>
    public bool CanReachQuorum(IReadOnlyDictionary<string, Ballot> ballots)
    {
        var tally = Count(ballots);
        return tally.Open >= Quorum || tally.Votes.Keys.Any(claim => tally.Reach(claim) >= Quorum);
    }

    /// <summary>Whether these electors, who voted alike, are a quorum: what is left of a decision when some of its voters are no longer believed.</summary>
    public bool IsQuorum(IEnumerable<string> electorNames)
    {
        var names = electorNames.ToHashSet();
        return _operators.Count(group => group.Any(elector => names.Contains(elector.Name))) >= Quorum;
    }

    private ImmutableArray<Answer> Answers(IReadOnlyDictionary<string, Ballot> ballots) =>
        [.. Electors.Select(elector => new Answer(elector, ballots.GetValueOrDefault(elector.Name) ?? new Ballot.Silent(SilenceReason.NoAnswer)))];

    private Tally Count(IReadOnlyDictionary<string, Ballot> ballots)
    {
        var tally = new Tally();
        foreach (var group in _operators)
        {
            var cast = group.Select(elector => ballots.GetValueOrDefault(elector.Name)).ToList();
            tally.Add([.. cast.OfType<Ballot.Claimed>().Select(vote => vote.Claim).Distinct()], isWaiting: cast.Contains(null));
        }

        return tally;
    }

    /// <summary>Votes by operator: cast ones, and those that may still be cast.</summary>
    private sealed class Tally
    {
        private readonly Dictionary<OutputClaim, int> _possible = [];

        /// <summary>Each claim that anyone has proven, with the votes of operators whose electors have all answered and do not differ.</summary>
        public Dictionary<OutputClaim, int> Votes { get; } = [];

        /// <summary>Operators that may still vote for anything.</summary>
        public int Open { get; private set; }

        /// <summary>Whether any elector has not answered yet.</summary>
        public bool IsWaiting { get; private set; }

        /// <summary>The most votes that this claim can come to.</summary>
        public int Reach(OutputClaim claim) => Votes[claim] + _possible.GetValueOrDefault(claim) + Open;

        public void Add(IReadOnlyList<OutputClaim> claims, bool isWaiting)
        {
            IsWaiting |= isWaiting;
            foreach (var claim in claims)
            {
                Votes[claim] = Votes.GetValueOrDefault(claim) + (claims.Count is 1 && !isWaiting ? 1 : 0);
                _possible[claim] = _possible.GetValueOrDefault(claim) + (claims.Count is 1 && isWaiting ? 1 : 0);
            }

            Open += claims.Count is 0 && isWaiting ? 1 : 0;
        }
    }
}
