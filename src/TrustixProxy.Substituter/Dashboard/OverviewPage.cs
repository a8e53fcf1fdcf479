using TrustixProxy.Consensus;
using TrustixProxy.IO.Pages;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Health;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Overview page of the proxy's state.</summary>
internal static class OverviewPage
{
    private const int MostDecisions = 20;

    public static Html Of(ProxyParts parts, ProxyHealth health, DecisionJournal journal, bool isDay) => Page.Of("Overview", "/", Html.Of($"""
        <p class="verdict">{(health.CanDecide ? Page.Badge("can decide", "good") : Page.Badge("cannot decide", "bad"))} {Html.Each(health.Rules, rule => Rule(rule, health.Rules.Count is 1))}</p>
        <section><h2>Decisions</h2>{VerdictChart.Of(journal, isDay)}
        {Page.Table("Latest decisions", ["path", "outcome", "when", "reason"], Html.Each(journal.List().Take(MostDecisions), Decision))}</section>
        <section><h2>Logs</h2>{Page.Table("Logs", ["name", "state", "entries", "last grown", "last seen", "more"], Html.Each(health.Logs, Log))}</section>
        <section><h2>Upstreams and signed caches</h2>
        {Page.Table("Upstreams, and caches that vote", ["name", "address", "role", "state", "since", "why"], Html.Of($"""{Html.Each(health.Upstreams, source => Source(source, "NARs"))}{Html.Each(health.Caches, source => Source(source, "votes"))}"""))}</section>
        <section><h2>Caches of decisions</h2>{Page.Table("Lookups of stored decisions", ["tier", "hit", "miss", "rejected", "state"], Html.Each(Enum.GetValues<CacheTier>(), tier => Tier(tier, parts)))}</section>
        """));

    private static Html Rule(RuleHealth rule, bool isOnly) => Html.Of(
        $"""<span>{(rule.Match is not "*" ? rule.Match : isOnly ? "all paths" : "all other paths")}: {rule.Rule} must agree, {(rule.IsReachable ? Page.Badge("within reach", "good") : Page.Badge("out of reach", "bad"))}</span> """);

    private static Html Decision(JournalEntry entry) => Html.Of(
        $"""<tr><td><a href="/path/{entry.Digest}">{entry.Path.Name}</a></td><td>{Page.Badge(entry.Outcome)}{(entry.IsDisputed && entry.Outcome is not Outcome.Conflict ? Page.Badge("disputed", "bad") : Html.Empty)}</td><td>{Page.Time(entry.At)}</td><td class="reason">{entry.Sentence}</td></tr>""");

    private static Html Log(LogStatus log) => Html.Of(
        $"""<tr><td>{log.Name}</td><td>{Page.Badge(log.Health)}</td><td class="number">{log.Size?.ToString("N0", null) ?? "-"}</td><td>{Page.Time(log.GrownAt)}</td><td>{Page.Time(log.SeenAt)}</td><td class="reason">{log.Url}{(log.Health is LogHealth.Live ? "" : $"; {log.State}")}{(log.Unfreezings.Count is 0 ? "" : $"; unfrozen {string.Join(", ", log.Unfreezings)}")}</td></tr>""");

    private static Html Source(SourceHealth source, string purpose) =>
        Html.Of($"""
            <tr><td>{source.Name}</td><td>{source.Url}</td><td>{purpose}</td><td>{State(source.State)}</td>
            <td>{(source.Since is null ? Html.Empty : Page.Time(source.Since))}</td><td class="reason">{source.Why ?? ""}</td></tr>
            """);

    /// <summary>An upstream's state.</summary>
    public static Html State(string state) => Page.Badge(state, state switch { "live" => "good", "away" => "bad", _ => "warn" });

    private static Html Tier(CacheTier tier, ProxyParts parts)
    {
        var state = tier switch
        {
            CacheTier.Memory => $"{parts.Cache.MemorySize:N0} bytes",
            CacheTier.Redis when parts.Redis is null => "not configured",
            CacheTier.Redis => parts.Redis.IsThere ? "answers" : "does not answer",
            _ => "",
        };
        return Html.Of($"<tr><td>{Kebab.Of(tier)}</td>{Html.Each(Enum.GetValues<LookupResult>(), result => Html.Of($"""<td class="number">{DecisionMetrics.Lookups(tier, result):N0}</td>"""))}<td>{state}</td></tr>");
    }
}
