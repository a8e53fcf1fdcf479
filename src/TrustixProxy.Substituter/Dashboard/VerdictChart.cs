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
        BarColumn[] columns = isDay ? [.. journal.Durations.List().Select(span => Column(span.From, span.Counts))]
            : [.. journal.Count(60, 1).Select(span => Column(
                span.From, span.Counts.ToDictionary(count => count.Key.Word(), count => count.Value)))];
        var total = (long)columns.Sum(column => column.Parts.Sum(part => part.Size));
        return Html.Of($"""
            {BarChart.Of("Decisions", $"{Figures.Count(total, "decision", "decisions")} in the last {(isDay ? "day" : "hour")}", columns, 4, highest => $"{highest.ToString("N0", CultureInfo.InvariantCulture)} in {(isDay ? "half an hour" : "a minute")}", Kinds)}
            <p class="note">Counted by the minute since {Markup.Time(journal.Since)}. Show <a href="/{(isDay ? "" : "?span=day")}">the last {(isDay ? "hour" : "day")}</a>.</p>

            """);
    }

    private static BarColumn Column(DateTimeOffset from, IReadOnlyDictionary<string, int> counts) => new(
        from,
        [.. Kinds.Select(kind => (kind.Kind,
            (double)counts.Where(count => KindOf(count.Key) == kind.Kind).Sum(count => count.Value)))],
        string.Join(", ", counts.OrderByDescending(count => count.Value).Select(count => $"{count.Key} {count.Value}")));

    private static string KindOf(string word) => OutcomeWords.TryParse(word, out var outcome) ? KindOf(outcome) : "warn";
}
