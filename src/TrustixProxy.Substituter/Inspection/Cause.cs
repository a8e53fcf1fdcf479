using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Inspection;

/// <summary>Names why a path would be refused, so that paths with the same cause stand together.</summary>
/// <remarks>A cause does not say how an elector is silent at the moment: it is the same from one run to the next.</remarks>
public static class Cause
{
    /// <summary>Returns the cause of a refusal in one line.</summary>
    public static string Of(Finding finding) => finding switch
    {
        { Outcome: Outcome.Revoked } => "revoked by an operator",
        { Outcome: Outcome.NoUpstream } => "no upstream has it",
        { Outcome: Outcome.Conflict } when !IsSplit(finding) => "its digest has another name",
        { Verdict: null } => "no elector could be asked",
        { Outcome: Outcome.Conflict, Verdict: { } verdict } => $"different outputs are proven by {Sides(verdict)}",
        { Verdict: { } verdict } when !Votes(verdict).Any() => "no elector proves an output",
        { Completing.Count: > 0 } => $"lacks one vote, of {string.Join(" or ", finding.Completing.Keys)}",
        _ => "lacks two or more votes",
    };

    /// <summary>Whether electors prove different outputs of the path; other conflicts are about its name.</summary>
    internal static bool IsSplit(Finding finding) =>
        finding.Verdict is { } verdict && Votes(verdict).Select(vote => vote.Claim).Distinct().Count() > 1;

    private static string Sides(Verdict verdict) => string.Join(
        " and by ", Votes(verdict).GroupBy(vote => vote.Claim, vote => vote.Elector).Select(side => string.Join(", ", side)));

    private static IEnumerable<(string Elector, OutputClaim Claim)> Votes(Verdict verdict) => verdict.Answers
        .Where(answer => answer.Ballot is Ballot.Claimed).Select(answer => (answer.Elector.Name, ((Ballot.Claimed)answer.Ballot).Claim));
}
