using System.Globalization;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Pages;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Renders decisions over time as bars and as a table.</summary>
internal static class VerdictChart
{
    private const int Width = 720, Height = 160;

    private static readonly (string Kind, string Meaning)[] Kinds = [
        ("good", "served by the rule"), ("ok", "served otherwise"), ("bad", "conflict or revoked"), ("warn", "refused otherwise")];

    /// <summary>Returns the kind of an outcome, which selects its colour.</summary>
    public static string KindOf(Outcome outcome) => outcome switch
    {
        Outcome.Agreed => "good",
        Outcome.Excepted or Outcome.ContentAddressed or Outcome.Report => "ok",
        Outcome.Conflict or Outcome.Revoked => "bad",
        _ => "warn",
    };

    /// <summary>Renders the chart of the last hour or day.</summary>
    public static Html Of(DecisionJournal journal, bool isDay)
    {
        var spans = isDay ? journal.Count(48, 30) : journal.Count(60, 1);
        var highest = Math.Max(4, spans.Max(span => span.Counts.Values.Sum()));
        var total = spans.Sum(span => span.Counts.Values.Sum());
        return Html.Of($"""
            <p>{total:N0} decisions in the last {(isDay ? "day" : "hour")}; kept since {Page.Time(journal.Since)}. Show <a href="/{(isDay ? "" : "?span=day")}">the last {(isDay ? "hour" : "day")}</a>.</p>
            <svg class="chart" viewBox="0 0 {Width} {Height}" preserveAspectRatio="none" role="img" aria-label="Decisions {(isDay ? "by half hours" : "by minutes")}: {total} in all, {highest} at most at once">
            {Html.Each(spans.Index(), item => Bar(item.Index, spans.Count, item.Item.Counts, highest))}</svg>
            <p class="scale"><span>{spans[0].From:HH:mm}Z</span><span>full height: {highest} in {(isDay ? "half an hour" : "a minute")}</span><span>now</span></p>
            <ul class="legend">{Html.Each(Kinds, kind => Html.Of($"<li>{Page.Badge(kind.Meaning, kind.Kind)}</li>"))}</ul>
            <details><summary>As a table</summary>{Page.Table("Decisions by outcome", ["from", "decisions"], Html.Each(spans.Where(span => span.Counts.Count > 0), Row))}</details>

            """);
    }

    private static Html Row((DateTimeOffset From, IReadOnlyDictionary<Outcome, int> Counts) span)
    {
        var counts = span.Counts.OrderByDescending(count => count.Value).Select(count => $"{count.Key.Word()} {count.Value}");
        return Html.Of($"<tr><td>{Page.Time(span.From)}</td><td>{string.Join(", ", counts)}</td></tr>");
    }

    private static Html Bar(int index, int count, IReadOnlyDictionary<Outcome, int> counts, int highest)
    {
        var (x, width, top) = ((double)Width * index / count, ((double)Width / count) - 1, (double)Height);
        return Html.Each(Kinds.Select(kind => (kind.Kind,
            Count: counts.Where(item => KindOf(item.Key) == kind.Kind).Sum(item => item.Value))).Where(part => part.Count > 0), part =>
        {
            var height = (double)Height * part.Count / highest;
            top -= height;
            return Html.Of($"""<rect x="{Number(x)}" y="{Number(top)}" width="{Number(width)}" height="{Number(height)}" class="{part.Kind}"/>""");
        });
    }

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
