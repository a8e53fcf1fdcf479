using TrustixProxy.IO.Pages;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Health;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Renders the page of one upstream: its state, its answers, and its refused NARs.</summary>
internal static class UpstreamPage
{
    private static readonly (string Kind, string Meaning, string[] Words)[] Answers =
    [
        ("good", "has the path", ["found"]), ("pale", "has it not", ["absent"]), ("bad", "failed", ["failed"]),
        ("warn", "was not asked: away", ["away"]),
    ];

    /// <summary>Returns the page; null if none has that name.</summary>
    public static Html? Of(string name, ProxyParts parts, ProxyHealth health)
    {
        var upstream = parts.Upstreams.FirstOrDefault(item => item.Options.Name == name)
            ?? (parts.Shared is { } shared && shared.Options.Name == name ? shared : null);
        if (upstream is null || health.Upstreams.FirstOrDefault(source => source.Name == name) is not { } source)
        {
            return null;
        }

        var (spans, options) = (upstream.History.List(), upstream.Options);
        var took = Figures.Took(spans);
        var (found, all) = (Figures.Number(spans, "found"), spans.Sum(span => span.Counts.Values.Sum()));
        return Page.Of(name, "/upstream", Html.Of($"""
            <div class="status-line">{UpstreamRows.State(source)}</div>
            <dl class="tiles">
            {Page.Tile("Has the path", Figures.Share(found, all), "", $"{found:N0} of {all:N0} today")}
            {Page.Tile("Answers in", Figures.Of(took.Percentile(50)), "", took.Count is 0 ? "" : $"95 % at most {Figures.Of(took.Percentile(95))}")}
            {Page.Tile("Priority", $"{options.Priority}", "", "the lowest is asked first")}
            </dl>
            {Page.Section("What it answered", Html.Of($"""<div class="graphs">{AnswerCharts.Answers("Answers", spans, Answers)}{AnswerCharts.Took("Time to answer", spans)}</div>"""))}
            {Page.Section("NARs that are not what was agreed on", RefusedNarTable.Of([.. parts.RefusedNars.List().Where(nar => nar.Upstream == name)]))}
            {Page.Section("How it is configured", Configuration(source.Url, options))}
            """));
    }

    private static Html Configuration(string url, UpstreamOptions options)
    {
        var names = options.Match.IsEmpty ? "all names" : string.Join(", ", options.Match);
        var except = options.Except.IsEmpty ? "" : $", but not {string.Join(", ", options.Except)}";
        return Html.Of($"""<dl class="facts wide-facts"><div><dt>address</dt><dd><code>{url}</code></dd></div><div><dt>asked for</dt><dd>{names}{except}</dd></div></dl>""");
    }
}
