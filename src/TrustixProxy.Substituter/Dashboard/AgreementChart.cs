using System.Globalization;
using TrustixProxy.IO.Pages;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Renders rates of agreement over time: for each pair of electors a row of bars, and a table.</summary>
internal static class AgreementChart
{
    private const int Width = 720, Height = 40, MostPairs = 15;

    /// <summary>Renders the last week; the pairs that agree least come first.</summary>
    public static Html Of(DecisionJournal journal)
    {
        var spans = journal.Agreement.List();
        var pairs = spans.SelectMany(span => span.Rates).GroupBy(rate => rate.Key, rate => rate.Value)
            .Select(pair => (Pair: pair.Key, Rate: pair.Aggregate((one, other) => one + other)))
            .OrderBy(pair => (double)pair.Rate.Same / pair.Rate.All).ThenByDescending(pair => pair.Rate.All)
            .ThenBy(pair => pair.Pair.One, StringComparer.Ordinal).ThenBy(pair => pair.Pair.Other, StringComparer.Ordinal).ToList();
        return Html.Of($"""
            <p>Each bar is {AgreementHistory.Hours} hours of the last week, as far as this proxy has run; its height is the share of paths that both proved the same for. A path counts when an answer about it is new.{(pairs.Count > MostPairs ? $" The {MostPairs} pairs of {pairs.Count} that agree least are shown." : "")}</p>
            {Html.Each(pairs.Take(MostPairs), pair => Row(pair.Pair, pair.Rate, spans))}
            {(pairs.Count is 0 ? Html.Of($"<p>No two electors have proven a claim for one path yet.</p>") : Table(pairs, spans))}
            """);
    }

    /// <summary>Returns the class of a rate, which selects its colour.</summary>
    public static string KindOf(AgreementRate rate) => rate.Same == rate.All ? "good" : rate.Same * 2L >= rate.All ? "warn" : "bad";

    private static Html Row(ElectorPair pair, AgreementRate rate, IReadOnlyList<AgreementSpan> spans) =>
        Html.Of($"""
            <figure class="agreement"><figcaption>{pair.One} and {pair.Other}: {Page.Badge($"{rate.Same:N0} of {rate.All:N0} ({rate.Percent} %)", KindOf(rate))}</figcaption>
            <svg class="chart" viewBox="0 0 {Width} {Height}" preserveAspectRatio="none" role="img" aria-label="{pair.One} and {pair.Other} agreed about {rate.Same} of {rate.All} paths in the last week">
            {Html.Each(spans.Index().Where(span => span.Item.Rates.ContainsKey(pair)), span => Bar(span.Index, spans.Count, span.Item.Rates[pair]))}</svg></figure>

            """);

    private static Html Bar(int index, int count, AgreementRate rate)
    {
        var height = Math.Max(1, (double)Height * rate.Same / rate.All); // also no agreement at all is seen
        return Html.Of($"""<rect x="{Number((double)Width * index / count)}" y="{Number(Height - height)}" width="{Number(((double)Width / count) - 1)}" height="{Number(height)}" class="{KindOf(rate)}"/>""");
    }

    private static Html Table(IReadOnlyList<(ElectorPair Pair, AgreementRate Rate)> pairs, IReadOnlyList<AgreementSpan> spans) =>
        Html.Of($"""
            <details><summary>As a table</summary>{Markup.Table("Agreement over time", ["from", "electors", "agreed about"], Html.Each(
                spans.Reverse().SelectMany(span => pairs.Take(MostPairs).Where(pair => span.Rates.ContainsKey(pair.Pair))
                    .Select(pair => (span.From, pair.Pair, Rate: span.Rates[pair.Pair]))), row => Html.Of(
                $"<tr><td>{Markup.Time(row.From)}</td><td>{row.Pair.One}, {row.Pair.Other}</td><td>{row.Rate.Same:N0} of {row.Rate.All:N0} ({row.Rate.Percent} %)</td></tr>")))}</details>
            """);

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
