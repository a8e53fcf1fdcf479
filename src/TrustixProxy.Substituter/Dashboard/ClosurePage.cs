using TrustixProxy.IO.Pages;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Dashboard;

/// <summary>Page of a path's closure as a tree, coloured by verdict.</summary>
internal static class ClosurePage
{
    private const int Most = 2000, Open = 2, MostRefused = 50;

    /// <summary>Returns the page; null if the path is not known.</summary>
    public static Html? Of(StorePathDigest digest, ProxyParts parts, DecisionJournal journal)
    {
        var root = parts.Cache.Peek(digest)?.Claim?.Path ?? journal.Find(digest)?.Path;
        return root is null ? null : Of(ClosureTree.Of(root, path => ClosureTree.Look(path, parts, journal), Most));
    }

    private static Html Of(ClosureTree tree)
    {
        var root = tree.Root.Found.Path;
        var refused = tree.Paths.Where(path => path.IsRefused).ToList();
        var (served, unknown) = (tree.Paths.Count(path => path.IsServed), tree.Paths.Count(path => path.Outcome is null));
        return Page.Of($"Closure of {root.Name}", $"/closure/{root.Digest}", Html.Of($"""
            <dl class="tiles">
            {Page.Tile("Paths", $"{tree.Paths.Count}{(tree.IsWhole ? "" : " or more")}", "", "each stands in the tree once")}
            {Page.Tile("Served", $"{served}", "good", "")}
            {Page.Tile("Refused", $"{refused.Count}", refused.Count is 0 ? "" : "bad", refused.Count is 0 ? "" : "they hold it back")}
            {Page.Tile("Not decided yet", $"{unknown}", "", unknown is 0 ? "" : "nobody has asked for them")}
            </dl>
            {(refused.Count is 0 ? Html.Empty : Page.Section("What holds it back", Html.Of($"""<ul class="rows">{Html.Each(refused.Take(MostRefused), path => Html.Of($"""<li class="{KindOf(path)}"><div class="line">{Name(path)}</div></li>"""))}</ul>""")))}
            <section><h2>Tree</h2><p><a href="/path/{root.Digest}">The decision on {root.Name}</a>; refused references come first.</p><ul class="tree">{Node(tree.Root, 0)}</ul></section>
            """));
    }

    private static Html Node(ClosureNode node, int depth) => Html.Of($"""
        <li class="{KindOf(node.Found)}">{Name(node.Found)}{(node.Below.Count is 0 ? Html.Empty : Below(node, depth))}</li>

        """);

    private static Html Below(ClosureNode node, int depth)
    {
        var summary = Html.Of($"""<summary>{Figures.Count(node.Below.Count, "reference", "references")}{(node.Refused is 0 ? Html.Empty : Html.Of($""", {Page.Badge($"{node.Refused:N0} refused below", "bad")}"""))}</summary>""");
        var list = Html.Of($"<ul>{Html.Each(node.Below, child => Node(child, depth + 1))}</ul>");
        return depth < Open || node.Refused > 0 ? Html.Of($"<details open>{summary}{list}</details>")
            : Html.Of($"<details>{summary}{list}</details>");
    }

    private static Html Name(ClosurePath path) => Html.Of(
        $"""<a href="/path/{path.Path.Digest}">{path.Path.Name}</a> {(path.Outcome is { } outcome ? Page.Badge(outcome) : Page.Badge("not decided", "none"))}""");

    private static string KindOf(ClosurePath path) => path.Outcome is { } outcome ? VerdictChart.KindOf(outcome) : "none";
}
