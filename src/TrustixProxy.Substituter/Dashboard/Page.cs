using TrustixProxy.Consensus;
using TrustixProxy.IO.Pages;
using TrustixProxy.Logs.Watching;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Renders the frame of all pages.</summary>
internal static class Page
{
    private static readonly (string Path, string Title)[] Sections = [
        ("/", "Overview"), ("/paths", "Paths"), ("/conflicts", "Conflicts"), ("/work", "Work list"), ("/doctor", "Doctor")];

    /// <summary>Renders a whole page.</summary>
    /// <param name="path">Its address; marks the current section.</param>
    /// <param name="main">Content, replaced in open pages after a change.</param>
    public static Html Of(string title, string path, Html main) => Html.Of($"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>{title} · trustix-proxy</title>
        <link rel="stylesheet" href="/dashboard.css">
        <link rel="icon" href="data:,">
        <script src="/dashboard.js" defer></script>
        </head>
        <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
        <a class="brand" href="/"><svg class="mark" viewBox="0 0 24 24" aria-hidden="true"><circle cx="5" cy="5" r="3"/><circle cx="19" cy="5" r="3"/><circle cx="12" cy="19" r="4"/><path d="M5 5l7 14l7-14"/></svg>trustix-proxy</a>
        <nav aria-label="Pages">{Html.Each(Sections, section => section.Path == path ? Html.Of($"""<a href="{section.Path}" aria-current="page">{section.Title}</a>""") : Html.Of($"""<a href="{section.Path}">{section.Title}</a>"""))}</nav>
        <form action="/path" method="get" role="search"><label for="q">Find a path</label><input id="q" name="q" type="search" required maxlength="300" placeholder="name, path or digest" autocomplete="off" spellcheck="false"><button>Find</button></form>
        <span id="live" role="status"></span>
        </header>
        <main id="main" tabindex="-1">
        <h1>{title}</h1>
        {main}
        </main>
        </body>
        </html>

        """);

    /// <summary>Renders a part of a page under a heading.</summary>
    public static Html Section(string title, Html content) => Html.Of($"<section><h2>{title}</h2>{content}</section>\n");

    /// <summary>Renders a figure with its name, in a row of such.</summary>
    /// <param name="kind">What colours it; may be empty.</param>
    /// <param name="note">More about it; may be empty.</param>
    public static Html Tile(string name, string figure, string kind, string note) => Html.Of($"""
        <div class="tile {kind}"><dt>{name}</dt><dd><span class="figure">{figure}</span>{(note.Length is 0 ? Html.Empty : Html.Of($"""<span class="note">{note}</span>"""))}</dd></div>

        """);

    /// <summary>Renders a word in the colour of its kind; the colour adds no information.</summary>
    public static Html Badge(string word, string kind) => Html.Of($"""<span class="badge {kind}">{word}</span>""");

    /// <summary>An outcome.</summary>
    public static Html Badge(Outcome outcome) => Badge(outcome.Word(), VerdictChart.KindOf(outcome));

    /// <summary>The word of an outcome in a stored report; another version may have written it.</summary>
    public static Html Badge(string word) => OutcomeWords.TryParse(word, out var outcome) ? Badge(outcome) : Badge(word, "warn");

    /// <summary>A log's state.</summary>
    public static Html Badge(LogHealth health) =>
        Badge(Kebab.Of(health), health switch { LogHealth.Live => "good", LogHealth.Frozen => "ice", _ => "warn" });

    /// <summary>An upstream's state.</summary>
    public static Html State(string state) => Badge(state, state switch { "live" => "good", "away" => "bad", _ => "warn" });

    /// <summary>Links to the page of an elector.</summary>
    public static Html Elector(string name) => Html.Of($"""<a href="/elector?name={Uri.EscapeDataString(name)}">{name}</a>""");

    /// <summary>Links to the page of an upstream.</summary>
    public static Html Upstream(string name) => Html.Of($"""<a href="/upstream?name={Uri.EscapeDataString(name)}">{name}</a>""");
}
