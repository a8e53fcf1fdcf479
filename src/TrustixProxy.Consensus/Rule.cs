using System.Collections.Immutable;

namespace TrustixProxy.Consensus;

/// <summary>The agreement needed: a number of members of a group; a member is an operator, or again a group.</summary>
/// <param name="Quorum">Number of members needed, from 1 to all.</param>
/// <param name="Operators">The members that are operators, by name. No operator occurs twice in a rule, in any group: it has one
/// vote.</param>
/// <param name="Groups">The members that are groups.</param>
/// <remarks>The terms are those of C2SP tlog-policy. In a configuration: <c>{"quorum": 2, "of": ["alice", "bob", {"quorum": 1, "of":
/// ["carol", "dave"]}]}</c>.</remarks>
public sealed record Rule(int Quorum, ImmutableArray<string> Operators, ImmutableArray<Rule> Groups)
{
    /// <summary>Creates a rule without groups.</summary>
    public Rule(int quorum, IEnumerable<string> operators)
        : this(quorum, [.. operators], [])
    {
    }

    /// <summary>Returns the smallest majority.</summary>
    public static int Majority(int members) => (members / 2) + 1;

    /// <summary>Returns the smallest number that is at least <paramref name="percent"/> of <paramref name="members"/>, exactly: 66.7 of 3
    /// is 3.</summary>
    public static int Percent(decimal percent, int members) => (int)Math.Ceiling(percent * members / 100);

    /// <summary>All operators that the rule counts.</summary>
    public IEnumerable<string> AllOperators => Operators.Concat(Groups.SelectMany(group => group.AllOperators));

    /// <summary>Number of members.</summary>
    public int Members => Operators.Length + Groups.Length;

    /// <summary>Whether these operators meet the rule.</summary>
    public bool IsMetBy(IReadOnlySet<string> operators) =>
        Operators.Count(operators.Contains) + Groups.Count(group => group.IsMetBy(operators)) >= Quorum;

    /// <summary>Whether two disjoint sets of operators can both meet the rule. Exhaustive for up to 16 operators; false for more.</summary>
    public bool CanSplit
    {
        get
        {
            var all = AllOperators.ToList();
            return all.Count <= 16 && Enumerable.Range(0, 1 << all.Count).Any(set =>
                IsMetBy(all.Where((_, i) => (set >> i & 1) == 1).ToHashSet())
                    && IsMetBy(all.Where((_, i) => (set >> i & 1) == 0).ToHashSet()));
        }
    }

    /// <summary>Whether every quorum is positive and reachable.</summary>
    internal bool IsSound => Quorum >= 1 && Quorum <= Math.Max(1, Members) && Groups.All(group => group.IsSound);

    /// <summary>Returns <c>2 of 3</c>; with groups <c>2 of (alice, bob, 1 of (carol, dave))</c>.</summary>
    public override string ToString() => Groups.IsEmpty ? $"{Quorum} of {Operators.Length}" : Text;

    /// <summary>The rule with all names, in canonical order.</summary>
    internal string Text => $"{Quorum} of ({string.Join(", ", MemberTexts)})";

    private IEnumerable<string> MemberTexts =>
        Operators.Order(StringComparer.Ordinal).Concat(Groups.Select(group => group.Text).Order(StringComparer.Ordinal));
}

/// <summary>The rule for some paths.</summary>
/// <param name="Match">Glob of their names; null for all other paths.</param>
/// <param name="Rule">The agreement needed.</param>
/// <param name="Dissent">The effect of a differing claim, even by an elector that the rule does not count.</param>
public sealed record Scope(string? Match, Rule Rule, Dissent Dissent)
{
    /// <summary>The time for which logs must have held the votes that make a quorum; zero for none. Younger votes count as
    /// dissent only.</summary>
    public TimeSpan MinimumAge { get; init; }
}
