using System.Globalization;
using TrustixProxy.IO.Pages;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>A column of a chart.</summary>
/// <param name="From">Start of its span of time.</param>
/// <param name="Parts">Its parts from below, each with the kind that colours it; none has a negative size.</param>
/// <param name="Says">What it says in words.</param>
internal sealed record BarColumn(DateTimeOffset From, IReadOnlyList<(string Kind, double Size)> Parts, string Says);

/// <summary>Renders quantities over time as stacked bars, and as a table for those who do not see them.</summary>
internal static class BarChart
{
    private const int Width = 720, Height = 160;

    /// <summary>Renders a chart.</summary>
    /// <param name="title">What is shown, in a few words; unique in the page.</param>
    /// <param name="summary">What it says on the whole.</param>
    /// <param name="columns">Columns, oldest first.</param>
    /// <param name="least">Size that full height has at least.</param>
    /// <param name="scale">Writes the size of full height.</param>
    /// <param name="legend">Kinds and their meaning.</param>
    public static Html Of(string title, string summary, IReadOnlyList<BarColumn> columns, double least, Func<double, string> scale,
        IEnumerable<(string Kind, string Meaning)> legend)
    {
        var highest = Math.Max(least, columns.Max(column => column.Parts.Sum(part => part.Size)));
        return Html.Of($"""
            <figure class="graph"><figcaption><b>{title}</b>: {summary}</figcaption>
            <svg class="chart" viewBox="0 0 {Width} {Height}" preserveAspectRatio="none" role="img" aria-label="{title}: {summary}">
            <path class="grid" d="M0 {Height / 4}H{Width}M0 {Height / 2}H{Width}M0 {3 * Height / 4}H{Width}"/>
            {Html.Each(columns.Index(), item => Bars(item.Index, columns.Count, item.Item, highest))}</svg>
            <p class="scale"><span>{columns[0].From:HH:mm}Z</span><span>full height: {scale(highest)}</span><span>now</span></p>
            <ul class="legend">{Html.Each(legend, kind => Html.Of($"""<li><span class="key {kind.Kind}" aria-hidden="true"></span>{kind.Meaning}</li>"""))}</ul>
            <details><summary>{title} as a table</summary>{Markup.Table(title, ["from", "what"], Html.Each(columns.Reverse().Where(column => column.Says.Length > 0), column => Html.Of($"<tr><td>{Markup.Time(column.From)}</td><td>{column.Says}</td></tr>")))}</details></figure>

            """);
    }

    private static Html Bars(int index, int count, BarColumn column, double highest)
    {
        var (width, top) = ((double)Width / count, (double)Height);
        return Html.Each(column.Parts.Where(part => part.Size > 0), part =>
        {
            var height = Math.Max(1, Height * part.Size / highest); // also little is seen
            top = Math.Max(0, top - height);
            return Html.Of($"""<rect x="{Number((index * width) + (width * 0.1))}" y="{Number(top)}" width="{Number(width * 0.8)}" height="{Number(height)}" rx="1" class="{part.Kind}"><title>{column.From:HH:mm}Z: {column.Says}</title></rect>""");
        });
    }

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
