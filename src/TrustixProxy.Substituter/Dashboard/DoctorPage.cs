using TrustixProxy.IO.Pages;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Inspection;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Page of the last <c>trustix-proxy doctor</c> report.</summary>
internal static class DoctorPage
{
    private const int Most = 200;

    public static Html Of((DoctorSummary Report, DateTimeOffset At)? last) => Page.Of("Doctor", "/doctor", last is not var (report, at)
        ? Html.Of($"<p>No report yet. Run <code>trustix-proxy doctor</code> with this proxy's configuration: it checks all paths "
            + $"of the running system and stores its report here.</p>")
        : Html.Of($"""
            <p>{report.Paths:N0} paths, {report.Installed:N0} of them installed, looked at {Markup.Time(at)}. {Html.Each(report.Outcomes.OrderByDescending(outcome => outcome.Value), outcome => Html.Of($"{Page.Badge(outcome.Key)} {outcome.Value:N0} "))}</p>
            <section><h2>Upstreams and signed caches</h2>
            {Markup.Table("Upstreams and signed caches", ["name", "state", "since", "why"], Html.Each(report.Upstreams, source => Html.Of(
                $"""<tr><td>{source.Name}</td><td>{Page.State(source.State)}</td><td>{(source.Since is null ? Html.Empty : Markup.Time(source.Since))}</td><td class="reason">{source.Why ?? ""}</td></tr>""")))}</section>
            {(report.Unwitnessed.Count is 0 ? Html.Empty : Unwitnessed(report.Unwitnessed))}
            <section><h2>Installed otherwise than electors prove</h2>
            {Markup.Table("Installed otherwise", ["path", "outcome", "installed", "electors prove"], Html.Each(report.InstalledOtherwise.Take(Most), path => Html.Of(
                $"<tr><td>{Link(path.Path)}</td><td>{Page.Badge(path.Outcome)}</td><td><code>{path.Installed}</code></td><td>{string.Join(", ", path.Against.Select(vote => $"{vote.Key}: {vote.Value}"))}</td></tr>")))}</section>
            {(report.Dissents.Count is 0 ? Html.Empty : Html.Of($"<p>{report.Dissents.Count:N0} more are installed as accepted, although an outvoted elector proves another output.</p>"))}
            <section><h2>Would be refused</h2>
            <p>{report.Refused.Count:N0} in all{(report.Refused.Count > Most ? $"; the worst {Most} are shown" : "")}.</p>
            {(report.Causes.Count is 0 ? Html.Empty : Markup.Table("Causes of refusals", ["cause", "paths", "worst"], Html.Each(report.Causes, cause => Html.Of(
                $"""<tr><td class="reason">{cause.Cause}</td><td class="number">{cause.Paths:N0}</td><td>{Link(cause.Worst)}</td></tr>"""))))}
            {Markup.Table("Would be refused", ["path", "outcome", "needed by", "reason"], Html.Each(report.Refused.Take(Most), path => Html.Of(
                $"""<tr><td>{Link(path.Path)}</td><td>{Page.Badge(path.Outcome)}{(path.Installed is null ? "" : " installed")}</td><td class="number">{path.NeededBy:N0}</td><td class="reason">{path.Sentence}{(path.IsUncertain ? " (some answers missing)" : "")}</td></tr>""")))}</section>
            <section><h2>Whose vote would help</h2>
            {Markup.Table("Most useful missing votes", ["elector", "would decide", "says now"], Html.Each(report.Helpers, helper => Html.Of(
                $"""<tr><td>{helper.Elector}</td><td class="number">{helper.Decides:N0}</td><td>{string.Join(", ", helper.Now.Select(now => $"{now.Key} {now.Value}"))}</td></tr>""")))}</section>
            """));

    private static Html Unwitnessed(IReadOnlyList<UnwitnessedLog> logs) => Html.Of($"""
        <section><h2>Unwitnessed logs</h2>
        {Markup.Table("Logs whose votes do not count", ["name", "since", "why"], Html.Each(logs, log => Html.Of(
            $"""<tr><td>{log.Name}</td><td>{Markup.Time(log.Since)}</td><td class="reason">{log.Why}</td></tr>""")))}</section>
        """);

    private static Html Link(string absolute) => StorePath.TryParseAbsolute(absolute, out var path, out _) ? Html.Of($"""<a href="/path/{path.Digest}">{path.Name}</a>""") : Html.Of($"<code>{absolute}</code>");
}
