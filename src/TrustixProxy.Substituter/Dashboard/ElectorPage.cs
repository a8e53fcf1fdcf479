using TrustixProxy.Consensus;
using TrustixProxy.IO.Metering;
using TrustixProxy.IO.Pages;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Health;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Renders the page of one elector: its identity, state, answers, and agreement with other electors.</summary>
internal static class ElectorPage
{
    private const int Most = 30;

    private static readonly (string Kind, string Meaning, string[] Words)[] Answers =
    [
        ("good", "proves a claim that was granted", ["agrees"]),
        ("ok", "proves a claim, none was granted", ["proves"]),
        ("bad", "proves another claim", ["other-claim"]),
        ("pale", "has none", ["absent", "not-found"]),
        ("warn", "silent, frozen or unwitnessed", ["silent", "frozen", "unwitnessed"]),
    ];

    /// <summary>Returns the page; null if nobody has that name.</summary>
    public static Html? Of(string name, ProxyParts parts, ProxyHealth health, DecisionJournal journal)
    {
        if (parts.Policy.Electors.FirstOrDefault(elector => elector.Name == name) is not { } elector)
        {
            return null;
        }

        var (spans, entries) = (journal.Of(name).List(), journal.List());
        return Page.Of(name, "/elector", Html.Of($"""
            <p class="status-line">{ElectorCards.State(name, health)} {KindOf(elector)}{(elector.Operator == name ? "" : $", run by {elector.Operator}")}</p>
            {(ElectorCards.TroubleOf(name, health) is { Length: > 0 } trouble ? Html.Of($"""<p class="reason">{trouble}</p>""") : Html.Empty)}
            {Tiles(name, health, journal, Figures.Took(spans))}
            {Frozen(name, health)}
            {Page.Section("What it answered", Html.Of($"""<div class="graphs">{AnswerCharts.Answers("Answers", spans, Answers)}{AnswerCharts.Took("Time to answer", spans)}</div>"""))}
            {Page.Section("With whom it agrees", Agreement(name, parts.Policy, journal.Agreement.List()))}
            {Page.Section("Paths on which it stands alone or apart", PathRows.Of([.. entries.Where(entry => IsApart(entry, name)).Take(Most)], "None among the paths that are remembered."))}
            {Page.Section("How it is configured", Configuration(elector, parts.Options))}
            """));
    }

    private static Html Tiles(string name, ProxyHealth health, DecisionJournal journal, Timings took)
    {
        var rate = ElectorCards.RateOf(name, journal.Agreement.List());
        var log = health.Logs.FirstOrDefault(log => log.Name == name);
        return Html.Of($"""
            <dl class="tiles">
            {Page.Tile("Agrees with others", rate.All is 0 ? "-" : $"{rate.Percent} %", rate.All is 0 ? "" : AgreementChart.KindOf(rate), $"{rate.Same:N0} of {rate.All:N0} in a week")}
            {Page.Tile("Answers in", Figures.Of(took.Percentile(50)), "", took.Count is 0 ? "" : $"95 % at most {Figures.Of(took.Percentile(95))}")}
            {(log is null ? Html.Empty : Html.Of($"""{Page.Tile("Entries", log.Size?.ToString("N0", System.Globalization.CultureInfo.InvariantCulture) ?? "-", "", "")}{When("Last grown", log.GrownAt)}{When("Last seen", log.SeenAt)}"""))}
            </dl>
            """);
    }

    private static Html When(string name, DateTimeOffset? at) => Html.Of($"""
        <div class="tile"><dt>{name}</dt><dd class="when">{Markup.Time(at)}</dd></div>

        """);

    /// <summary>What is to be said of a log that is frozen, or was.</summary>
    private static Html Frozen(string name, ProxyHealth health)
    {
        if (health.Logs.FirstOrDefault(log => log.Name == name) is not { } log || (!log.IsFrozen && log.Unfreezings.Count is 0))
        {
            return Html.Empty;
        }

        var now = !log.IsFrozen ? Html.Empty : Html.Of($"""<p>Its own signatures contradict each other: its votes do not count until an operator unfreezes it. The evidence is a file in <code>evidence/</code> of the state directory; anyone can check it: <code>trustix-proxy verify FILE</code>.</p>""");
        var before = log.Unfreezings.Count is 0 ? Html.Empty : Html.Of($"<p>Unfrozen {string.Join(", ", log.Unfreezings)}.</p>");
        return Html.Of($"""<div class="notice ice">{now}{before}</div>""");
    }

    private static Html Agreement(string name, Policy policy, IReadOnlyList<AgreementSpan> spans) => Markup.Table(
        "Agreement in the last week", ["elector", "the same claim"], Html.Each(
            policy.Electors.Select(elector => elector.Name).Where(other => other != name), other =>
            {
                var rate = spans.SelectMany(span => span.Rates)
                    .Where(rate => (rate.Key.One == name && rate.Key.Other == other) || (rate.Key.One == other && rate.Key.Other == name))
                    .Aggregate(default(AgreementRate), (sum, rate) => sum + rate.Value);
                var said = rate.All is 0 ? Html.Of($"-")
                    : Page.Badge($"{rate.Same:N0} of {rate.All:N0} ({rate.Percent} %)", AgreementChart.KindOf(rate));
                return Html.Of($"<tr><td>{Page.Elector(other)}</td><td>{said}</td></tr>");
            }));

    /// <summary>Whether an elector proves something that no other proves, or was granted against it.</summary>
    private static bool IsApart(JournalEntry entry, string name) =>
        entry.Votes.FirstOrDefault(vote => vote.Elector == name)?.Claim is { } claim
        && ((entry.Granted is { } granted && granted != claim)
            || !entry.Votes.Any(vote => vote.Elector != name && vote.Claim == claim));

    private static string KindOf(Elector elector) => elector switch
    {
        Elector.Log => "a transparency log",
        Elector.Cache => "a signed cache or rebuilder",
        _ => "a server of proof files",
    };

    private static Html Configuration(Elector elector, SubstituterOptions options)
    {
        var (url, keys) = elector switch
        {
            Elector.Log log => (options.Logs.FirstOrDefault(item => item.Elector.Name == log.Name)?.Url, [log.Key.ToString()]),
            Elector.Cache cache => (options.Caches.FirstOrDefault(item => item.Elector.Name == cache.Name)?.Url,
                cache.Keys.Select(key => key.ToString())),
            _ => (options.Proofs.FirstOrDefault(item => item.Elector.Name == elector.Name)?.Url, (IEnumerable<string?>)[]),
        };
        return Html.Of($"""
            <dl class="facts wide-facts"><div><dt>address</dt><dd><code>{url?.ToString() ?? "-"}</code></dd></div><div><dt>operator</dt><dd>{elector.Operator}</dd></div>{Html.Each(keys, key => Html.Of($"<div><dt>public key</dt><dd><code>{key}</code></dd></div>"))}</dl>
            """);
    }
}
