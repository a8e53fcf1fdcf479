using System.Globalization;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Pages;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Renders decisions over time.</summary>
internal static class VerdictChart
{
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
        var total = spans.Sum(span => span.Counts.Values.Sum());
        return Html.Of($"""
            {BarChart.Of("Decisions", $"{Figures.Count(total, "decision", "decisions")} in the last {(isDay ? "day" : "hour")}", [.. spans.Select(Column)], 4, highest => $"{highest.ToString("N0", CultureInfo.InvariantCulture)} in {(isDay ? "half an hour" : "a minute")}", Kinds)}
            <p class="note">Counted since {Page.Time(journal.Since)}. Show <a href="/{(isDay ? "" : "?span=day")}">the last {(isDay ? "hour" : "day")}</a>.</p>

            """);
    }

    private static BarColumn Column((DateTimeOffset From, IReadOnlyDictionary<Outcome, int> Counts) span) => new(
        span.From,
        [.. Kinds.Select(kind => (kind.Kind,
            (double)span.Counts.Where(count => KindOf(count.Key) == kind.Kind).Sum(count => count.Value)))],
        string.Join(", ", span.Counts.OrderByDescending(count => count.Value).Select(count => $"{count.Key.Word()} {count.Value}")));
}
