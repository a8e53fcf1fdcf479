using TrustixProxy.Consensus;
using TrustixProxy.IO.Pages;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Renders decided paths as rows: name, outcome, time, and the votes as chips.</summary>
internal static class PathRows
{
    /// <summary>Number of chips in a row.</summary>
    private const int MostVotes = 9;

    /// <summary>Renders a list.</summary>
    /// <param name="none">What is said if it is empty.</param>
    public static Html Of(IReadOnlyCollection<JournalEntry> entries, string none) => entries.Count is 0
        ? Html.Of($"""<p class="empty">{none}</p>""")
        : Html.Of($"""<ul class="rows">{Html.Each(entries, Row)}</ul>""");

    private static Html Row(JournalEntry entry) => Html.Of($"""
        <li class="{VerdictChart.KindOf(entry.Outcome)}"><div class="line"><a href="/path/{entry.Digest}">{entry.Path.Name}</a> {Page.Badge(entry.Outcome)}{(entry.IsDisputed && entry.Outcome is not Outcome.Conflict ? Page.Badge("disputed", "bad") : Html.Empty)} {Markup.Time(entry.At)}</div>{(entry.Votes.IsEmpty ? Html.Of($"""<p class="reason">{entry.Sentence}</p>""") : VoteChips.Of(entry, MostVotes))}</li>

        """);
}
