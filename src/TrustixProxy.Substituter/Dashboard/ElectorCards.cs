using TrustixProxy.IO.Pages;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Health;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Renders the electors as cards: state, agreement with others, and how fast they answer.</summary>
internal static class ElectorCards
{
    public static Html Of(ProxyParts parts, ProxyHealth health, DecisionJournal journal)
    {
        var spans = journal.Agreement.List();
        return parts.Policy.Electors.IsEmpty
            ? Html.Of($"""<p class="empty">Nobody votes under this policy: only content-addressed paths are served.</p>""")
            : Html.Of($"""<ul class="cards">{Html.Each(parts.Policy.Electors, elector => Card(elector.Name, elector.Operator, health, journal, spans))}</ul>""");
    }

    /// <summary>Renders the state of an elector.</summary>
    public static Html State(string name, ProxyHealth health) =>
        health.Logs.FirstOrDefault(log => log.Name == name) is { } log ? Page.Badge(log.Health)
        : health.Caches.FirstOrDefault(cache => cache.Name == name) is { } cache ? Page.State(cache.State)
        : Page.Badge("unknown", "warn");

    /// <summary>Returns how often an elector agreed with others.</summary>
    public static AgreementRate RateOf(string name, IReadOnlyList<AgreementSpan> spans) =>
        spans.SelectMany(span => span.Rates).Where(rate => rate.Key.One == name || rate.Key.Other == name)
            .Aggregate(default(AgreementRate), (sum, rate) => sum + rate.Value);

    /// <summary>Returns what is wrong with an elector, since when; empty if nothing is.</summary>
    public static string TroubleOf(string name, ProxyHealth health) =>
        health.Logs.FirstOrDefault(log => log.Name == name) is { } log ? log.Health is LogHealth.Live ? "" : log.State
        : health.Caches.FirstOrDefault(cache => cache.Name == name)?.Why ?? "";

    private static Html Card(
        string name, string by, ProxyHealth health, DecisionJournal journal, IReadOnlyList<AgreementSpan> spans)
    {
        var (rate, took) = (RateOf(name, spans), Figures.Took(journal.Of(name).List()));
        var (size, trouble) = (health.Logs.FirstOrDefault(log => log.Name == name)?.Size, TroubleOf(name, health));
        return Html.Of($"""
            <li class="card"><h3>{Page.Elector(name)} {State(name, health)}</h3>
            <dl class="facts">{(by == name ? Html.Empty : Fact("operator", by))}{(size is { } entries ? Fact("entries", $"{entries:N0}") : Html.Empty)}{Fact("agrees with others", rate.All is 0 ? "-" : $"{rate.Percent} % of {rate.All:N0}")}{Fact("answers in", Figures.Of(took.Percentile(50)))}</dl>{(trouble.Length is 0 ? Html.Empty : Html.Of($"""<p class="reason">{trouble}</p>"""))}</li>

            """);
    }

    private static Html Fact(string name, string text) => Html.Of($"<div><dt>{name}</dt><dd>{text}</dd></div>");
}
