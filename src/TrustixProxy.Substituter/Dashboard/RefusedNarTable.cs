using TrustixProxy.IO.Pages;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Renders NARs that differ from what was agreed on.</summary>
internal static class RefusedNarTable
{
    public static Html Of(IReadOnlyList<RefusedNar> refused) => Html.Of($"""
        <p>None of them came to a client as if it were whole. <code>trustix-proxy diff</code> compares two upstreams byte by byte.</p>
        {Markup.Table("Refused NARs", ["upstream", "path", "why", "last", "times", "agreed on", "sent"], Html.Each(refused, Row))}
        """);

    private static Html Link(string text) => StorePath.TryParse(text, out var path, out _)
        ? Html.Of($"""<a href="/path/{path.Digest}">{path.Name}</a>""") : Html.Of($"{text}");

    private static Html Row(RefusedNar nar) => Html.Of($"""
        <tr><td>{Page.Upstream(nar.Upstream)}</td><td>{Link(nar.Path)}</td><td>{Page.Badge(nar.Fault, "bad")}</td><td>{Markup.Time(nar.At)}</td><td class="number">{nar.Times:N0}</td>
        <td><code>{nar.Agreed}</code></td><td><code>{nar.Sent ?? "-"}</code></td></tr>
        """);
}
