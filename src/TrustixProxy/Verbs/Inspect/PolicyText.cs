using TrustixProxy.Consensus;

namespace TrustixProxy.Verbs.Inspect;

/// <summary>A policy in words.</summary>
internal static class PolicyText
{
    /// <summary>The rule of some paths in one line.</summary>
    public static string Of(Policy policy, Scope scope) =>
        $"rule of {(scope.Match is null ? "all paths without their own scope" : $"'{scope.Match}'")}: {scope.Rule} must agree, "
            + $"{string.Concat(policy.Distinct.Select(distinct => $"with {distinct}, "))}"
            + $"{(scope.MinimumAge == TimeSpan.Zero ? "" : $"with votes held for {scope.MinimumAge:c}, ")}"
            + $"dissent {(scope.Dissent is Dissent.Veto ? "refuses" : "is outvoted")}";

    /// <summary>The smallest sets of operators that meet a rule and span what the policy demands, at most <paramref name="count"/> of
    /// them.</summary>
    public static IEnumerable<IReadOnlyList<string>> Satisfying(Policy policy, Rule rule, int count)
    {
        var all = rule.AllOperators.ToList();
        return Enumerable.Range(1, all.Count).SelectMany(size => Choose(all, size, 0))
            .Where(set => policy.IsMet(rule, set.ToHashSet())
                && set.All(name => !policy.IsMet(rule, set.Where(other => other != name).ToHashSet())))
            .Take(count);
    }

    private static IEnumerable<IReadOnlyList<string>> Choose(List<string> all, int size, int from) => size is 0
        ? [[]]
        : Enumerable.Range(from, Math.Max(0, all.Count - from))
            .SelectMany(i => Choose(all, size - 1, i + 1).Select(rest => (IReadOnlyList<string>)[all[i], .. rest]));
}
