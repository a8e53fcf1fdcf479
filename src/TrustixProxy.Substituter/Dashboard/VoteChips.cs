using System.Collections.Immutable;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Pages;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Renders votes as chips side by side.</summary>
internal static class VoteChips
{
    /// <summary>Renders the votes of an entry; the first ones, if there are too many.</summary>
    public static Html Of(JournalEntry entry, int most) => Of(entry.Votes, entry.Granted, entry.Late, most);

    /// <summary>Renders votes.</summary>
    /// <param name="granted">The claim that was granted; null if none was.</param>
    /// <param name="late">Names of the electors that answered after the decision had left.</param>
    /// <param name="most">Maximum number of chips.</param>
    public static Html Of(ImmutableArray<AnswerText> votes, OutputClaim? granted, ImmutableArray<string> late, int most)
    {
        var letters = Letters(votes);
        return votes.IsEmpty ? Html.Empty : Html.Of($"""
            <ul class="votes">{Html.Each(votes.Take(most), vote => Chip(vote, granted, letters, late.Contains(vote.Elector)))}{(votes.Length > most ? Html.Of($"""<li class="vote more">and {votes.Length - most:N0} more</li>""") : Html.Empty)}</ul>
            """);
    }

    /// <summary>Names the proven claims A, B and so on.</summary>
    public static IReadOnlyDictionary<OutputClaim, string> Letters(ImmutableArray<AnswerText> votes) =>
        votes.Select(vote => vote.Claim).OfType<OutputClaim>().Distinct().Index()
            .ToDictionary(claim => claim.Item, claim => ((char)('A' + (claim.Index % 26))).ToString());

    /// <summary>Returns the words of a vote.</summary>
    private static string WordsOf(VoteKind kind, string letter) => kind switch
    {
        VoteKind.Agrees => "agrees",
        VoteKind.OtherClaim => "other claim",
        VoteKind.Proves => $"claim {letter}",
        VoteKind.Absent => "absent",
        VoteKind.NotFound => "not found",
        VoteKind.Silent => "silent",
        VoteKind.Frozen => "frozen",
        VoteKind.Unwitnessed => "unwitnessed",
        VoteKind.NotHeard => "not heard yet",
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    private static Html Chip(
        AnswerText vote, OutputClaim? granted, IReadOnlyDictionary<OutputClaim, string> letters, bool isLate)
    {
        var (kind, letter) = (vote.KindBeside(granted), vote.Claim is null ? "" : letters[vote.Claim]);
        var style = kind is VoteKind.Proves && letter is not "A" ? "other-claim" : Kebab.Of(kind);
        return Html.Of($"""<li class="vote {style}"><b>{vote.Elector}</b> {WordsOf(kind, letter)}{(isLate ? ", later" : "")}</li>""");
    }
}
