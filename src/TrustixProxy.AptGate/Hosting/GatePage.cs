using TrustixProxy.AptGate.Decisions;
using TrustixProxy.AptGate.Releases;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Pages;

namespace TrustixProxy.AptGate.Hosting;

/// <summary>The dashboard: one page for people, without scripts.</summary>
internal static class GatePage
{
    private const int MostDecisions = 50, MostReleases = 30;

    public static Html Of(GateParts parts)
    {
        var health = GateHealth.Of(parts);
        return Frame(Html.Of($"""
            <p class="verdict">{Badge(health.Ready ? "can decide" : "cannot decide", health.Ready)} mode: {health.Mode}; {Html.Each(health.Rules, Rule)}</p>
            <section><h2>Decisions</h2>{Markup.Table("Latest decisions", ["package", "outcome", "when", "reason"], Html.Each(parts.Journal.List().Take(MostDecisions), Decision))}</section>
            <section><h2>Rebuilders</h2>{Markup.Table("Rebuilders", ["name", "address", "state", "since", "why"], Html.Each(health.Rebuilders, Peer))}</section>
            <section><h2>Archives</h2>{Markup.Table("Archives", ["name", "address", "state", "since", "why"], Html.Each(health.Archives, Peer))}
            <p>{parts.Indexes.Count:N0} packages known from indexes; {parts.Decisions.Count:N0} grants kept; {parts.Store.Size:N0} of {parts.Store.MaxSize:N0} bytes stored.</p></section>
            <section><h2>Release files</h2>{Markup.Table("What the archives served as InRelease", ["archive", "suite", "SHA-256", "first seen", "in the log"], Html.Each(parts.Releases.List().Take(MostReleases), Release))}</section>
            """));
    }

    private static Html Frame(Html main) => Html.Of($"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>Debian packages · trustix-proxy</title>
        <link rel="stylesheet" href="/dashboard.css">
        <link rel="icon" href="data:,">
        </head>
        <body>
        <header><strong>trustix-proxy apt</strong></header>
        <main id="main" tabindex="-1">
        <h1>Debian packages</h1>
        {main}
        </main>
        </body>
        </html>

        """);

    private static Html Rule(GateRule rule) => Html.Of(
        $"""<span>{(rule.Match is "*" ? "all other packages" : rule.Match)}: {rule.Rule} must agree, {Badge(rule.IsReachable ? "within reach" : "out of reach", rule.IsReachable)}</span> """);

    private static Html Decision(DebDecision decision) => Html.Of($"""
        <tr><td>{decision.Verdict.Asked.File.FileName}</td><td><a href="/decisions/{decision.Verdict.Asked.Sha256}">{Badge(decision.Verdict.Outcome.Word(), decision.Verdict.Outcome is Outcome.Agreed)}</a></td>
        <td>{Markup.Time(decision.Bundle.DecidedAt)}</td><td class="reason">{decision.Verdict.Sentence}</td></tr>
        """);

    private static Html Peer(PeerHealth peer) => Html.Of($"""
        <tr><td>{peer.Name}</td><td>{peer.Url}</td><td>{Badge(peer.State, peer.State is "live")}</td>
        <td>{(peer.Since is { } since ? Markup.Time(since) : Html.Empty)}</td><td class="reason">{peer.Why ?? ""}</td></tr>
        """);

    private static Html Release(ServedRelease release) => Html.Of($"""
        <tr><td>{release.Archive}</td><td>{release.Suite}</td><td>{release.Sha256}</td><td>{Markup.Time(release.SeenAt)}</td><td>{(release.IsSubmitted ? "yes" : "no")}</td></tr>
        """);

    private static Html Badge(string word, bool isGood) => Html.Of($"""<span class="badge {(isGood ? "good" : "warn")}">{word}</span>""");
}
