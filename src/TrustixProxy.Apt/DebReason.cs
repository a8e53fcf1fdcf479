using TrustixProxy.Consensus;

namespace TrustixProxy.Apt;

/// <summary>Words for verdicts.</summary>
internal static class DebReason
{
    private const int MaxPhrase = 200;

    /// <summary>One answer in a word.</summary>
    public static string WordOf(DebAnswer answer, DebVerdict verdict) => (answer.Ballot switch
    {
        DebBallot.Claimed vote => verdict.Asked.IsClaimedBy(vote.Claim) ? "good" : $"claims sha256:{vote.Claim.Sha256}",
        DebBallot.Bad => "bad",
        DebBallot.Unknown => "unknown",
        DebBallot.Silent { Reason: SilenceReason.ClaimOfOtherPath } => "silent(link-of-other-file)",
        DebBallot.Silent silent => $"silent({Kebab.Of(silent.Reason)})",
        _ => throw new System.Diagnostics.UnreachableException(),
    }) + (verdict.Rule.AllOperators.Contains(answer.Elector.Operator) ? "" : "(not counted)");

    /// <summary>A reason phrase: <c>Refused by policy: 1 of 2 rebuilders (alice: good, bob: bad), 2 of 2 needed</c>.</summary>
    /// <remarks>A phrase of HTTP/1.1 may have only visible characters and spaces, and apt prints one line.</remarks>
    public static string PhraseOf(DebVerdict verdict)
    {
        var operators = verdict.Rule.AllOperators.ToHashSet();
        var votes = verdict.Answers.Where(answer => answer.Ballot is DebBallot.Claimed vote && verdict.Asked.IsClaimedBy(vote.Claim))
            .Select(answer => answer.Elector.Operator).Where(operators.Contains).Distinct().Count();
        var answers = string.Join(", ", verdict.Answers.Select(answer => $"{answer.Elector.Name}: {ShortWordOf(answer, verdict)}"));
        var text = $"{(verdict.IsGranted ? "Granted" : verdict.MayChange ? "Undecided" : "Refused")} by policy: "
            + $"{votes} of {operators.Count} rebuilders ({answers}), {verdict.Rule} needed";
        var phrase = string.Concat(text.Select(character => character is >= ' ' and <= '~' ? character : '?'));
        return phrase.Length <= MaxPhrase ? phrase : $"{phrase[..(MaxPhrase - 3)]}...";
    }

    private static string ShortWordOf(DebAnswer answer, DebVerdict verdict) => answer.Ballot switch
    {
        DebBallot.Claimed vote when !verdict.Asked.IsClaimedBy(vote.Claim) => "other file",
        DebBallot.Silent silent => Kebab.Of(silent.Reason),
        _ => WordOf(answer, verdict),
    };
}
