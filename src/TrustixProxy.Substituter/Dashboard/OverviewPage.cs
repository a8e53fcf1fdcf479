using System.Globalization;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Pages;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Health;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Overview page of the proxy's state.</summary>
internal static class OverviewPage
{
    private const int MostDecisions = 10;

    private static readonly string[] Served =
        [.. Enum.GetValues<Outcome>().Where(outcome => VerdictChart.KindOf(outcome) is "good" or "ok").Select(outcome => outcome.Word())];

    public static Html Of(ProxyParts parts, ProxyHealth health, DecisionJournal journal, bool isDay)
    {
        var entries = journal.List();
        return Page.Of("Overview", "/", Html.Of($"""
            {Status(health)}
            {Tiles(parts, journal)}
            {Page.Section("Decisions", Html.Of($"""{VerdictChart.Of(journal, isDay)}{PathRows.Of([.. entries.Take(MostDecisions)], "Nothing has been asked for yet. The first path that a client asks for appears here at once.")}{(entries.Count > MostDecisions ? Html.Of($"""<p><a href="/paths">All {entries.Count:N0} that are remembered</a></p>""") : Html.Empty)}"""))}
            {Page.Section("Who votes", ElectorCards.Of(parts, health, journal))}
            {Page.Section("Where NARs come from", UpstreamRows.Of(health))}
            {Page.Section("The last day", Html.Of($"""<div class="graphs">{AnswerCharts.Took("Time to decide", journal.Durations.List())}{AnswerCharts.Given(parts.Given.List())}</div>"""))}
            {Page.Section("Caches of decisions", Markup.Table("Lookups of stored decisions", ["tier", "hit", "miss", "rejected", "state"], Html.Each(Enum.GetValues<CacheTier>(), tier => Tier(tier, parts))))}
            """));
    }

    private static Html Status(ProxyHealth health) => Html.Of($"""
        <div class="status {(health.CanDecide ? "good" : "bad")}"><p class="headline">{(health.CanDecide ? Page.Badge("can decide", "good") : Page.Badge("cannot decide", "bad"))}</p>
        <ul class="rules">{Html.Each(health.Rules, rule => Rule(rule, health.Rules.Count is 1))}</ul></div>
        """);

    private static Html Rule(RuleHealth rule, bool isOnly) => Html.Of(
        $"""<li>{(rule.Match is not "*" ? rule.Match : isOnly ? "all paths" : "all other paths")}: {rule.Rule} must agree, {(rule.IsReachable ? Page.Badge("within reach", "good") : Page.Badge("out of reach", "bad"))}</li>""");

    private static Html Tiles(ProxyParts parts, DecisionJournal journal)
    {
        var (spans, nars) = (journal.Durations.List(), parts.Given.List());
        var (took, all, served) = (
            Figures.Took(spans), spans.Sum(span => span.Counts.Values.Sum()), Figures.Number(spans, Served));
        var (wanted, refused) = (parts.Wanted.Rows.Count, parts.RefusedNars.List().Count);
        return Html.Of($"""
            <dl class="tiles">
            {Page.Tile("Decisions today", Number(all), "", all is 0 ? "" : $"{Figures.Share(served, all)} served")}
            {Page.Tile("Time to decide", Figures.Of(took.Percentile(50)), "", took.Count is 0 ? "" : $"95 % at most {Figures.Of(took.Percentile(95))}")}
            {Page.Tile("NARs today", Figures.Of(nars.Sum(span => span.Bytes)), "", $"{Figures.Count(nars.Sum(span => span.Served), "NAR", "NARs")}, each verified")}
            {Page.Tile("Refused NARs", Number(refused), refused is 0 ? "" : "bad", "not what was agreed on")}
            {Page.Tile("Work list", Number(wanted), "", wanted is 1 ? "path lacks votes" : "paths lack votes")}
            </dl>
            """);
    }

    private static string Number(int number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static Html Tier(CacheTier tier, ProxyParts parts)
    {
        var state = tier switch
        {
            CacheTier.Memory => Figures.Of(parts.Cache.MemorySize),
            CacheTier.Redis when parts.Redis is null => "not configured",
            CacheTier.Redis => parts.Redis.IsThere ? "answers" : "does not answer",
            _ => "",
        };
        return Html.Of($"<tr><td>{Kebab.Of(tier)}</td>{Html.Each(Enum.GetValues<LookupResult>(), result => Html.Of($"""<td class="number">{DecisionMetrics.Lookups(tier, result):N0}</td>"""))}<td>{state}</td></tr>");
    }
}
