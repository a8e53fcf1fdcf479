using System.Collections.Immutable;

namespace TrustixProxy.Consensus;

/// <summary>Who must agree: a number of members out of a group; a member is an operator, or a group again.</summary>
/// <param name="Quorum">How many members, from 1 to all.</param>
/// <param name="Operators">The members that are operators, by name. No operator occurs twice in a rule, wherever it stands: it has one
/// vote.</param>
/// <param name="Groups">The members that are groups.</param>
/// <remarks>The words are those of C2SP tlog-policy. In a configuration: <c>{"quorum": 2, "of": ["alice", "bob", {"quorum": 1, "of":
/// ["carol", "dave"]}]}</c>.</remarks>
public sealed record Rule(int Quorum, ImmutableArray<string> Operators, ImmutableArray<Rule> Groups)
{
    /// <summary>A rule without groups.</summary>
    public Rule(int quorum, IEnumerable<string> operators)
        : this(quorum, [.. operators], [])
    {
    }

    /// <summary>The smallest number that is more than half.</summary>
    public static int Majority(int members) => (members / 2) + 1;

    /// <summary>The smallest number that is at least <paramref name="percent"/> of <paramref name="members"/>, counted exactly: 66.7 of 3
    /// is 3.</summary>
    public static int Percent(decimal percent, int members) => (int)Math.Ceiling(percent * members / 100);

    /// <summary>All operators that the rule counts.</summary>
    public IEnumerable<string> AllOperators => Operators.Concat(Groups.SelectMany(group => group.AllOperators));

    /// <summary>How many members the group has.</summary>
    public int Members => Operators.Length + Groups.Length;

    /// <summary>Whether these operators are enough.</summary>
    public bool IsMetBy(IReadOnlySet<string> operators) =>
        Operators.Count(operators.Contains) + Groups.Count(group => group.IsMetBy(operators)) >= Quorum;

    /// <summary>Whether two sets of operators that have none in common can both meet the rule. Tried for up to 16 operators; false for
    /// more.</summary>
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

    /// <summary>Whether what is asked for can be had, and is something.</summary>
    internal bool IsSound => Quorum >= 1 && Quorum <= Math.Max(1, Members) && Groups.All(group => group.IsSound);

    /// <summary><c>2 of 3</c>; with groups <c>2 of (alice, bob, 1 of (carol, dave))</c>.</summary>
    public override string ToString() => Groups.IsEmpty ? $"{Quorum} of {Operators.Length}" : Text;

    /// <summary>The rule with every name; the same however it was written.</summary>
    internal string Text => $"{Quorum} of ({string.Join(", ", Operators.Order(StringComparer.Ordinal).Concat(Groups.Select(group => group.Text).Order(StringComparer.Ordinal)))})";
}

/// <summary>The rule of some paths.</summary>
/// <param name="Match">Glob of their names; null for all others.</param>
/// <param name="Rule">Who must agree.</param>
/// <param name="Dissent">What one that proves something else does, be it one that the rule does not count.</param>
public sealed record Scope(string? Match, Rule Rule, Dissent Dissent);
