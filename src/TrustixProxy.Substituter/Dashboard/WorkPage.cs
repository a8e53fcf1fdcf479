using TrustixProxy.IO.Pages;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Wanted;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Page of the work list: undecided paths that clients asked for, the most useful first.</summary>
internal static class WorkPage
{
    private const int Most = 200;

    /// <param name="list">The list; null for a reader who may not see it.</param>
    public static Html Of(WantedList? list) => Page.Of("Work list", "/work", list is null
        ? Html.Of($"""<p class="empty">Other machines see the work list only with a token: <code>operations.wantedTokenFile</code>, or <code>trustix-proxy wanted</code> on the proxy's own machine.</p>""")
        : Html.Of($"""
            <p>Paths that clients asked for and that the policy could not decide, the most useful first. A vote by an elector that lacks one decides them; <code>trustix-proxy rebuild</code> works this list off.</p>
            {(list.Wanted.Count is 0 ? Html.Of($"""<p class="empty">Nothing waits for a vote.</p>""") : Html.Of($"""<ol class="rows work">{Html.Each(list.Wanted.Take(Most), Row)}</ol>"""))}
            {(list.Wanted.Count > Most ? Html.Of($"<p>The first {Most} of {list.Wanted.Count:N0}; <code>trustix-proxy wanted</code> has all.</p>") : Html.Empty)}
            """));

    private static Html Row(WantedEntry entry) => Html.Of($"""
        <li class="warn"><div class="line">{Link(entry.StorePath)} {Page.Badge(entry.Reason, entry.Reason is "tie-break" ? "bad" : "warn")} <span class="note">asked for by {Figures.Count(entry.Requests, "client", "clients")}{(entry.Roots is 0 ? "" : $", holds back {Figures.Count(entry.Roots, "root", "roots")}")}</span></div>{(entry.Missing.Count is 0 ? Html.Empty : Html.Of($"""<ul class="votes">{Html.Each(entry.Missing, elector => Html.Of($"""<li class="vote absent"><b>{elector}</b> no vote</li>"""))}</ul>"""))}{(entry.Derivers.Count is 0 ? Html.Empty : Html.Of($"""<p class="note">derivation, as upstreams say: <code>{string.Join(", ", entry.Derivers)}</code></p>"""))}</li>

        """);

    private static Html Link(string absolute) => StorePath.TryParseAbsolute(absolute, out var path, out _)
        ? Html.Of($"""<a href="/path/{path.Digest}">{path.Name}</a>""") : Html.Of($"<code>{absolute}</code>");
}
