using TrustixProxy.Consensus;
using TrustixProxy.IO.Pages;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Page of disagreements between electors, by elector and path.</summary>
internal static class ConflictsPage
{
    private const int Most = 100;

    public static Html Of(DecisionJournal journal, Policy policy, IReadOnlyList<RefusedNar> refused)
    {
        var (entries, names) = (journal.List(), policy.Electors.Select(elector => elector.Name).ToList());
        var disputed = entries.Where(entry => entry.IsDisputed).ToList();
        return Page.Of("Conflicts", "/conflicts", Html.Of($"""
            <p>Of the last {entries.Count:N0} paths that were decided on here since {Markup.Time(journal.Since)}, electors disagree about {disputed.Count:N0}.
            A build that is not reproducible, a builder with a fault, or somebody lies.</p>
            <section><h2>Agreement between electors</h2>
            <p>Of the paths that both have proven a claim for: how many they agree about.</p>
            {Markup.Table("Agreement between electors", ["elector", .. names], Html.Each(names, name => Html.Of($"""<tr><th scope="row">{Page.Elector(name)}</th>{Html.Each(names, other => Cell(entries, name, other))}</tr>""")))}</section>
            <section><h2>Agreement over time</h2>{AgreementChart.Of(journal)}</section>
            <section><h2>Disputed paths</h2>
            <p>Who says what, and since when this process knows it. The command shows in which files two builders' outputs differ.</p>
            {(disputed.Count is 0 ? Html.Of($"""<p class="empty">None: all that prove a claim for a path prove the same.</p>""") : Html.Of($"""<ul class="rows">{Html.Each(disputed.Take(Most), Row)}</ul>"""))}</section>
            <section><h2>NARs that are not what their upstream names</h2>{RefusedNarTable.Of(refused)}</section>
            """));
    }

    private static Html Cell(IReadOnlyList<JournalEntry> entries, string one, string other)
    {
        var pairs = entries.Select(entry => (One: ClaimOf(entry, one), Other: ClaimOf(entry, other)))
            .Where(pair => pair is { One: not null, Other: not null }).ToList();
        var same = pairs.Count(pair => pair.One == pair.Other);
        return one == other || pairs.Count is 0
            ? Html.Of($"""<td class="none">-</td>""")
            : Html.Of($"""<td class="{AgreementChart.KindOf(new AgreementRate(same, pairs.Count))}">{same} of {pairs.Count} ({100 * same / pairs.Count} %)</td>""");
    }

    private static OutputClaim? ClaimOf(JournalEntry entry, string elector) =>
        entry.Votes.FirstOrDefault(vote => vote.Elector == elector)?.Claim;

    private static Html Row(JournalEntry entry)
    {
        var sides = entry.Votes.Where(vote => vote.Claim is not null).GroupBy(vote => vote.Claim!);
        return Html.Of($"""
            <li class="bad"><div class="line"><a href="/path/{entry.Digest}">{entry.Path.Name}</a> {Page.Badge(entry.Outcome)} {Markup.Time(entry.At)}</div><ul class="sides">{Html.Each(sides, side => Html.Of(
                $"<li>{Html.Each(side.Index(), vote => Html.Of($"{(vote.Index is 0 ? "" : ", ")}{vote.Item.Elector} since {Markup.Time(entry.Known[vote.Item.Elector].Since)}"))}: <code>{side.Key.NarHash}</code></li>"))}</ul><p><code>trustix-proxy diff {entry.Path.Absolute}</code></p></li>

            """);
    }
}
