using System.Globalization;
using TrustixProxy.IO.Metering;
using TrustixProxy.IO.Pages;
using TrustixProxy.Nars.Delivery;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Charts of the last day: what was answered, how long it took, and the NARs that went out.</summary>
internal static class AnswerCharts
{
    private static readonly (string Kind, string Meaning)[]
        Times = [("ok", "half took at most"), ("pale", "95 % took at most")], Bytes = [("good", "verified bytes")];

    /// <summary>How long things took.</summary>
    /// <param name="title">What took that long; unique in the page.</param>
    public static Html Took(string title, IReadOnlyList<AnswerSpan> spans)
    {
        var all = Figures.Took(spans);
        var summary = all.Count is 0 ? "none in the last day"
            : $"half took at most {Figures.Of(all.Percentile(50))}, 95 % at most {Figures.Of(all.Percentile(95))}";
        return BarChart.Of(title, summary, [.. spans.Select(Column)], 0.001, highest => Figures.Of(TimeSpan.FromSeconds(highest)), Times);
    }

    /// <summary>What was answered.</summary>
    /// <param name="title">Who answered; unique in the page.</param>
    /// <param name="kinds">Colours, each with the words that it stands for.</param>
    public static Html Answers(
        string title, IReadOnlyList<AnswerSpan> spans, IReadOnlyList<(string Kind, string Meaning, string[] Words)> kinds) => BarChart.Of(
            title,
            $"{Figures.Count(Figures.Number(spans, [.. kinds.SelectMany(kind => kind.Words)]), "answer", "answers")} in the last day",
            [.. spans.Select(span => new BarColumn(
                span.From, [.. kinds.Select(kind => (kind.Kind, (double)Figures.Number([span], kind.Words)))],
                string.Join(", ", span.Counts.OrderByDescending(count => count.Value).Select(count => $"{count.Key} {count.Value}"))))],
            4, highest => $"{highest.ToString("N0", CultureInfo.InvariantCulture)} in half an hour",
            kinds.Select(kind => (kind.Kind, kind.Meaning)));

    /// <summary>NARs that went out.</summary>
    public static Html Given(IReadOnlyList<NarSpan> spans) => BarChart.Of(
        "NARs",
        $"{Figures.Count(spans.Sum(span => span.Served), "NAR", "NARs")} and {Figures.Of(spans.Sum(span => span.Bytes))} in the last day, "
            + $"{spans.Sum(span => span.Broken).ToString("N0", CultureInfo.InvariantCulture)} broken off",
        [.. spans.Select(span => new BarColumn(
            span.From, [("good", span.Bytes)], span is { Served: 0, Broken: 0 } ? ""
                : $"{Figures.Count(span.Served, "NAR", "NARs")}, {Figures.Of(span.Bytes)}, {span.Broken} broken off"))],
        1000, highest => $"{Figures.Of((long)highest)} in half an hour", Bytes);

    private static BarColumn Column(AnswerSpan span)
    {
        var (half, most) = (span.Took.Percentile(50)?.TotalSeconds ?? 0, span.Took.Percentile(95)?.TotalSeconds ?? 0);
        var says = $"{span.Took.Count}: half at most {Figures.Of(span.Took.Percentile(50))}, 95 % at most "
            + Figures.Of(span.Took.Percentile(95));
        return new BarColumn(span.From, [("ok", half), ("pale", most - half)], span.Took.Count is 0 ? "" : says);
    }
}
