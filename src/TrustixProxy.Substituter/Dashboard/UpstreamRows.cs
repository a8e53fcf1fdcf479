using TrustixProxy.IO.Pages;
using TrustixProxy.Substituter.Health;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Renders the upstreams as rows: state, since when, and why.</summary>
internal static class UpstreamRows
{
    public static Html Of(ProxyHealth health) => Html.Of($"""<ul class="rows">{Html.Each(health.Upstreams, Row)}</ul>""");

    /// <summary>Renders the state of an upstream, since when, and why.</summary>
    public static Html State(SourceHealth source) => Html.Of(
        $"""{Page.State(source.State)}{((source.Since ?? source.LiveSince) is { } since ? Html.Of($""" <span class="note">since {Markup.Time(since)}</span>""") : Html.Empty)}{(source.Why is null ? Html.Empty : Html.Of($"""<p class="reason">{source.Why}</p>"""))}""");

    private static Html Row(SourceHealth source) => Html.Of($"""
        <li class="{(source.State is "live" ? "good" : source.State is "away" ? "bad" : "warn")}"><div class="line">{Page.Upstream(source.Name)} {State(source)}</div><p class="note">{source.Url}</p></li>

        """);
}
