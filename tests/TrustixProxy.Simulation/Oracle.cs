using TrustixProxy.Consensus;

namespace TrustixProxy.Simulation;

/// <summary>The rules of a policy read aloud, word by word and without any of its code: what an outcome is held against.</summary>
internal static class Oracle
{
    /// <summary>The word, and the claim if one is granted.</summary>
    public static (string Word, OutputClaim? Claim) Decide(
        Rule rule, Dissent dissent, IReadOnlyCollection<(string Operator, Ballot Ballot)> ballots)
    {
        var proven = ballots.Select(ballot => ballot.Ballot).OfType<Ballot.Claimed>().Select(vote => vote.Claim).Distinct().ToList();
        var winners = proven.Where(claim => IsMet(rule, Voters(claim, ballots))).ToList();
        return winners.Count is 1 && !(dissent is Dissent.Veto && proven.Count > 1) ? ("agreed", winners[0])
            : (proven.Count > 1 ? "conflict" : "undecided", null);
    }

    /// <summary>Operators of whom some elector proves the claim, and none proves another.</summary>
    public static HashSet<string> Voters(OutputClaim claim, IReadOnlyCollection<(string Operator, Ballot Ballot)> ballots) =>
    [
        .. ballots.GroupBy(ballot => ballot.Operator)
            .Where(group => group.Any(ballot => ballot.Ballot is Ballot.Claimed vote && vote.Claim.Fingerprint == claim.Fingerprint)
                && !group.Any(ballot => ballot.Ballot is Ballot.Claimed vote && vote.Claim.Fingerprint != claim.Fingerprint))
            .Select(group => group.Key),
    ];

    public static bool IsMet(Rule rule, HashSet<string> operators)
    {
        var met = 0;
        foreach (var name in rule.Operators)
        {
            met += operators.Contains(name) ? 1 : 0;
        }

        foreach (var group in rule.Groups)
        {
            met += IsMet(group, operators) ? 1 : 0;
        }

        return met >= rule.Quorum;
    }
}
