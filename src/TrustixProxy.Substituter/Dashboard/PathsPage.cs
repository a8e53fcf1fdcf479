using TrustixProxy.IO.Pages;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Page of the decisions that are remembered, and of those that a search finds.</summary>
internal static class PathsPage
{
    private const int Most = 100;

    /// <summary>Returns the page of the last decisions.</summary>
    public static Html Of(DecisionJournal journal)
    {
        var entries = journal.List();
        return Page.Of("Paths", "/paths", Html.Of($"""
            <p>{(entries.Count > Most ? $"The last {Most} of {entries.Count:N0} decisions with their votes." : "The last decisions with their votes.")} The search above finds any of {Figures.Count(journal.Names.Count, "path", "paths")} by a part of its name.</p>
            {PathRows.Of([.. entries.Take(Most)], "Nothing has been asked for yet.")}
            """));
    }

    /// <summary>Returns the page of what a search finds, and whether it found anything.</summary>
    public static (Html Page, bool IsFound) Find(string text, DecisionJournal journal)
    {
        var found = journal.Names.Find(text, Most);
        var known = found.Select(path => journal.Find(path.Digest)).OfType<JournalEntry>().ToList();
        var others = found.Where(path => journal.Find(path.Digest) is null).ToList();
        return (Page.Of($"Paths with “{text}”", "/path", found.Count is 0 ? None(text) : Html.Of($"""
            <p>{(found.Count == Most ? $"The first {Most}" : Figures.Count(found.Count, "path", "paths"))}, with the newest first.</p>
            {(known.Count is 0 ? Html.Empty : PathRows.Of(known, ""))}
            {(others.Count is 0 ? Html.Empty : Html.Of($"""<ul class="rows">{Html.Each(others, Row)}</ul>"""))}
            """)), found.Count > 0);
    }

    private static Html Row(StorePath path) =>
        Html.Of($"""<li class="none"><div class="line"><a href="/path/{path.Digest}">{path.Name}</a></div></li>""");

    private static Html None(string text) => Html.Of($"""
        <p class="empty"><code>{text}</code> is no part of the name of a path that was decided on, and no store path: DIGEST-NAME with or without the store's directory, or the digest alone, which is 32 characters of nix32. <code>trustix-proxy explain PATH</code> asks all electors about any path.</p>
        """);
}
