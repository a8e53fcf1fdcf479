namespace TrustixProxy.IO.Pages;

/// <summary>Parts that pages of several rooms share.</summary>
public static class Markup
{
    /// <summary>Renders a table that scrolls on its own in narrow pages.</summary>
    /// <param name="rows">Rows; an empty table says so.</param>
    public static Html Table(string caption, string[] columns, Html rows) => Html.Of($"""
        <div class="wide" role="region" tabindex="0" aria-label="{caption}"><table><caption>{caption}</caption>
        <thead><tr>{Html.Each(columns, column => Html.Of($"""<th scope="col">{column}</th>"""))}</tr></thead>
        <tbody>{(rows.ToString().Length > 0 ? rows : Html.Of($"""<tr><td colspan="{columns.Length}">none</td></tr>"""))}</tbody></table></div>

        """);

    /// <summary>Renders a time, to the second.</summary>
    public static Html Time(DateTimeOffset? time) => time is { } at
        ? Html.Of($"""<time datetime="{at:yyyy-MM-ddTHH:mm:ssZ}">{at:yyyy-MM-dd HH:mm:ss}Z</time>""")
        : Html.Of($"never");
}
