using Microsoft.Playwright;

namespace TrustixProxy.Browser;

/// <summary>Debian's Chromium, one for all tests; each has a window of its own.</summary>
public sealed class Browser : IAsyncLifetime
{
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    public async Task InitializeAsync()
    {
        _playwright = await Playwright.CreateAsync();
        Assertions.SetDefaultExpectTimeout(20_000); // a busy machine
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, "chromium"))
                .First(File.Exists),
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync"],
        });
    }

    public async Task DisposeAsync()
    {
        await _browser!.DisposeAsync();
        _playwright!.Dispose();
    }

    /// <summary>A window that tells of everything that a page does wrong: errors, what its policy forbids, requests to others.</summary>
    /// <param name="isExamined">Whether the test puts scripts of its own into pages, against their policy; then ours does not run, and the
    /// page stays as it was sent.</param>
    public async Task<Window> OpenAsync(Uri root, ColorScheme theme = ColorScheme.Light, int width = 1280, bool hasScript = true,
        bool isExamined = false)
    {
        var context = await _browser!.NewContextAsync(new BrowserNewContextOptions
        {
            BaseURL = root.ToString(),
            ColorScheme = theme,
            ViewportSize = new ViewportSize { Width = width, Height = 800 },
            JavaScriptEnabled = hasScript,
            BypassCSP = isExamined,
        });
        if (isExamined)
        {
            await context.RouteAsync("**/dashboard.js", route => route.AbortAsync());
        }

        return new Window(root, context);
    }
}

[CollectionDefinition(nameof(Browser))]
public sealed class BrowserCollection : ICollectionFixture<Browser>;
