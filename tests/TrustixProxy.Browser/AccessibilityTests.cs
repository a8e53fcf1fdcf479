using System.Text.Json;
using Deque.AxeCore.Commons;
using Microsoft.Playwright;

namespace TrustixProxy.Browser;

/// <summary>All pages for everyone: axe-core finds nothing, nothing scrolls sideways on a phone, and each theme is the browser's.</summary>
[Collection(nameof(Browser))]
public sealed class AccessibilityTests(Browser browser)
{
    /// <summary>All of axe's rules: those of WCAG 2.2 and its best practices.</summary>
    private const string All = "{ rules: { 'target-size': { enabled: true } } }";

    /// <summary>What another theme can change.</summary>
    private const string Colours = "{ runOnly: ['color-contrast', 'link-in-text-block'] }";

    private static readonly string Axe = ReadAxe();

    [Theory]
    [InlineData(ColorScheme.Light, 1280, All)]
    [InlineData(ColorScheme.Dark, 1280, Colours)]
    [InlineData(ColorScheme.Light, 360, All)]
    [InlineData(ColorScheme.Dark, 360, Colours)]
    public async Task No_page_has_an_accessibility_violation_or_scrolls_sideways(ColorScheme theme, int width, string rules)
    {
        await using var stage = await DashboardStage.StartAsync();
        await using var empty = await DashboardStage.StartEmptyAsync();

        var found = new List<string>();
        found.AddRange(await LookAsync(stage.Proxy.OperationsUrl, stage.Paths, theme, width, rules));
        found.AddRange(await LookAsync(empty.OperationsUrl, ["/", "/paths", "/conflicts", "/work", "/doctor", "/elector?name=alice",
            "/upstream?name=main"], theme, width, rules));
        empty.Remember(10_000);
        found.AddRange(await LookAsync(empty.OperationsUrl, ["/", "/paths", "/path?q=remembered"], theme, width, rules));

        Assert.Equal("", string.Join('\n', found));
    }

    [Fact]
    public async Task Axe_finds_what_is_wrong()
    {
        await using var proxy = await DashboardStage.StartEmptyAsync();
        await using var window = await browser.OpenAsync(proxy.OperationsUrl, isExamined: true);
        var page = await window.GoAsync("/");
        await page.EvaluateAsync("() => { document.querySelector('label').remove(); document.querySelector('input').placeholder = ''; }");
        await page.EvaluateAsync("() => { document.querySelector('h1').style.color = '#eee'; }");

        var found = await CheckAsync(page, All);

        Assert.Contains(found, fault => fault.StartsWith("color-contrast: ", StringComparison.Ordinal));
        Assert.Contains(found, fault => fault.StartsWith("label: ", StringComparison.Ordinal));
    }

    /// <summary>What is wrong with pages. The policy is put aside for axe's own script; other tests hold it.</summary>
    private async Task<List<string>> LookAsync(Uri root, string[] paths, ColorScheme theme, int width, string rules)
    {
        await using var window = await browser.OpenAsync(root, theme, width, isExamined: true);
        var found = new List<string>();
        foreach (var path in paths)
        {
            var page = await window.GoAsync(path);
            found.AddRange((await CheckAsync(page, rules)).Select(fault => $"{path}: {fault}"));
            var wide = await page.EvaluateAsync<int>("document.documentElement.scrollWidth");
            found.AddRange(wide > width ? [$"{path}: {wide} wide on a screen of {width}"] : []);
            await page.CloseAsync();
        }

        return found;
    }

    private static async Task<string[]> CheckAsync(IPage page, string rules)
    {
        await page.AddScriptTagAsync(new PageAddScriptTagOptions { Content = Axe });
        var found = await page.EvaluateAsync<JsonElement>($$"""
            async () => (await axe.run(document, {{rules}})).violations
              .flatMap(found => found.nodes.map(node => `${found.id}: ${node.failureSummary} ${node.html}`))
            """);
        return [.. found.EnumerateArray().Select(fault => fault.GetString()!)];
    }

    private static string ReadAxe()
    {
        const string name = "Deque.AxeCore.Commons.Resources.axe.min.js";
        using var reader = new StreamReader(typeof(AxeRunOptions).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
