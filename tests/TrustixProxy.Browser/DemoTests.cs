using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using TrustixProxy.Testing;

namespace TrustixProxy.Browser;

/// <summary>The demo as a newcomer meets it: its first line leads to a dashboard that shows all that it tells.</summary>
[Collection(nameof(Browser))]
public sealed class DemoTests(Browser browser) : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    private readonly List<string> _lines = [];
    private Process _demo = null!;

    private Uri Dashboard => new(Regex.Match(_lines[0], "^dashboard +(http://127\\.0\\.0\\.1:[0-9]+/)$").Groups[1].Value);

    public async Task InitializeAsync()
    {
        var start = Executable.Start("demo", "--keep");
        start.RedirectStandardOutput = true;
        _demo = Process.Start(start)!;
        using var limit = new CancellationTokenSource(Limit);
        while (_lines is not [.., var last] || !last.StartsWith("  trustix-proxy verify ", StringComparison.Ordinal))
        {
            _lines.Add(await _demo.StandardOutput.ReadLineAsync(limit.Token)
                ?? throw new InvalidOperationException(string.Join('\n', _lines) + await _demo.StandardError.ReadToEndAsync(limit.Token)));
        }
    }

    public async Task DisposeAsync()
    {
        await EndAsync();
        _demo.Dispose();
    }

    [Fact]
    public async Task Its_first_line_leads_to_a_dashboard_that_shows_each_outcome()
    {
        await using var window = await browser.OpenAsync(Dashboard);
        var page = await window.GoAsync("/");

        await RowAsync(page, "hello-1.0", "agreed", "alice agrees", "bob agrees", "mallory agrees");
        await RowAsync(page, "browser-9.1", "agreed", "alice agrees", "bob agrees", "mallory other claim");
        await RowAsync(page, "editor-2.3", "conflict", "alice claim A", "bob absent", "mallory claim B");
        await RowAsync(page, "kernel-6.1", "undecided", "alice claim A", "bob absent", "mallory absent");
        await RowAsync(page, "tool-0.9", "agreed", "alice agrees", "bob agrees", "mallory agrees");
        await RowAsync(page, "shell-5.2", "agreed", "alice agrees", "bob agrees", "mallory frozen");
        await page.Locator("#live:has-text('live')").WaitForAsync();
        await Window.PictureAsync(page, "dashboard", height: 1180);

        await page.GetByRole(AriaRole.Link, new() { Name = "tool-0.9" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Table, new() { Name = "Refused NARs" })).ToContainTextAsync("nar-hash");
        await page.GetByRole(AriaRole.Link, new() { Name = "Work list" }).ClickAsync();
        await Assertions.Expect(page.Locator(".rows > li")).ToHaveTextAsync(
            [new Regex("kernel-6.1 second-opinion"), new Regex("editor-2.3 tie-break")]);
        await page.GetByRole(AriaRole.Link, new() { Name = "Conflicts" }).ClickAsync();
        await page.Locator("main").GetByRole(AriaRole.Link, new() { Name = "mallory" }).ClickAsync();
        await Assertions.Expect(page.Locator("main")).ToContainTextAsync("frozen: split-view");
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task What_is_left_can_be_checked_by_anyone_and_all_goes_when_it_ends()
    {
        await using var window = await browser.OpenAsync(Dashboard, ColorScheme.Dark);
        var page = await window.GoAsync("/");
        await page.GetByRole(AriaRole.Link, new() { Name = "editor-2.3" }).ClickAsync();
        await Assertions.Expect(page.Locator("main")).ToContainTextAsync("proofs hold");
        await page.Locator("#live:has-text('live')").WaitForAsync();
        await Window.PictureAsync(page, "path", height: 1100);

        var words = _lines[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var (verified, folder) = (await RunAsync(words[1..]), Path.GetDirectoryName(words[^1])!);
        await window.DisposeAsync();
        await EndAsync();

        Assert.Contains("'mallory' has contradicted itself (split-view)", verified, StringComparison.Ordinal);
        Assert.Contains("Everything is as expected.", _lines);
        Assert.Equal(0, _demo.ExitCode);
        Assert.False(Directory.Exists(folder), $"{folder} is left");
    }

    /// <summary>Waits until a path's row has its outcome and its votes; who answers late is heard a moment later.</summary>
    private static async Task RowAsync(IPage page, string path, string outcome, params string[] votes)
    {
        var row = page.Locator(".rows > li", new() { Has = page.GetByRole(AriaRole.Link, new() { Name = path }) });
        await Assertions.Expect(row.Locator(".badge").First).ToHaveTextAsync(outcome);
        await Assertions.Expect(row.Locator(".vote")).ToHaveTextAsync(votes.Select(vote => new Regex($"^{Regex.Escape(vote)}(, later)?$")));
    }

    private static async Task<string> RunAsync(string[] arguments)
    {
        var start = Executable.Start(arguments);
        start.RedirectStandardOutput = true;
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return output + await process.StandardError.ReadToEndAsync();
    }

    private async Task EndAsync()
    {
        if (!_demo.HasExited)
        {
            using var kill = Process.Start("kill", ["-TERM", $"{_demo.Id}"]);
            using var limit = new CancellationTokenSource(Limit);
            await _demo.WaitForExitAsync(limit.Token);
        }
    }
}
