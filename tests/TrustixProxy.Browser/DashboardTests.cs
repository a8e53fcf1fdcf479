using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Testing;

namespace TrustixProxy.Browser;

/// <summary>The dashboard as people use it.</summary>
[Collection(nameof(Browser))]
public sealed class DashboardTests(Browser browser) : IAsyncLifetime
{
    private const string Hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'";

    private readonly TestOutput _agreed = TestOutput.Make("agreed-1.0"), _split = TestOutput.Make("split-1.0");
    private TestProxy _proxy = null!;

    private string[] Paths => ["/", "/?span=day", "/conflicts", "/doctor", $"/path/{_agreed.Path.Digest}", $"/path/{_split.Path.Digest}"];

    public async Task InitializeAsync()
    {
        _proxy = await TestProxy.WithThreeLogsAsync();
        _proxy.ChangeElector = elector =>
            elector.Name is "carol" ? elector with { Name = $"carol{Hostile}", Operator = $"carol{Hostile}" } : elector;
        _proxy.Publish(_agreed, "alice", "bob").Publish(_split, "alice");
        _proxy.Log("bob").Publish(_split.Forge().Statement);
        await _proxy.StartAsync();
        await _proxy.NarInfoAsync(_agreed);
        await _proxy.AskAsync(_split.Path);
        new DoctorSummary(
            2, 2, new Dictionary<string, int> { ["agreed"] = 1, ["conflict"] = 1 },
                [new(Hostile, "agreed", Hostile, new Dictionary<string, string> { ["alice"] = Hostile })],
            [new(_split.Path.Absolute, "conflict", Hostile, true, null, 1, new Dictionary<string, string>())], [])
                .Keep(_proxy.StateDirectory);
    }

    public async Task DisposeAsync() => await _proxy.DisposeAsync();

    [Theory]
    [InlineData(ColorScheme.Light, 1280)]
    [InlineData(ColorScheme.Dark, 1280)]
    [InlineData(ColorScheme.Dark, 360)]
    [InlineData(ColorScheme.Light, 360)]
    public async Task Each_page_in_both_themes_fits_a_screen_and_a_phone_and_can_be_read(ColorScheme theme, int width)
    {
        await using var window = await browser.OpenAsync(_proxy.OperationsUrl, theme, width);
        foreach (var (i, path) in Paths.Index())
        {
            var page = await window.GoAsync(path);
            await page.Locator("#live:has-text('live')").WaitForAsync();
            await Window.PictureAsync(page, $"{i}-{theme}-{width}");

            Assert.Equal(width, await page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
            Assert.True(await page.EvaluateAsync<double>(LeastContrast) >= 4.5,
                $"{path}: too little contrast, {await page.EvaluateAsync<double>(LeastContrast):N2}");
            Assert.Equal(theme is ColorScheme.Dark,
                await page.EvaluateAsync<int>("parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])") < 128);
            await page.CloseAsync();
        }

        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task Hostile_names_are_read_as_they_are_and_nothing_of_them_runs()
    {
        await using var window = await browser.OpenAsync(_proxy.OperationsUrl);
        foreach (var path in Paths)
        {
            var page = await window.GoAsync(path);
            await page.Locator("#live:has-text('live')").WaitForAsync();

            Assert.Contains(Hostile, await page.Locator("main").TextContentAsync(), StringComparison.Ordinal);
            Assert.Equal(1, await page.Locator("script").CountAsync());
            Assert.Equal(0, await page.Locator("img").CountAsync());
            await page.CloseAsync();
        }

        var none = await window.GoAsync($"/path?q={Uri.EscapeDataString(Hostile)}");
        Assert.Contains(Hostile, await none.Locator("main").TextContentAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain(window.Complaints, complaint => !complaint.Contains("status of 400", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_page_that_is_looked_at_shows_what_is_decided_without_being_asked_and_keeps_the_place()
    {
        var output = TestOutput.Make("brand-new-1.0");
        await using var window = await browser.OpenAsync(_proxy.OperationsUrl);
        var page = await window.GoAsync("/");
        await page.Locator("#live:has-text('live')").WaitForAsync();
        await page.Locator("details summary").ClickAsync();
        await page.Locator("main a", new() { HasText = "split-1.0" }).FocusAsync();

        await _proxy.AskAsync(output.Path);
        await _proxy.AskAsync(_split.Path);

        // 4 when the machine was so slow that the conflict was decided anew
        await Assertions.Expect(page.Locator("main")).ToContainTextAsync(
            new Regex("[34] decisions in the last hour"), new() { Timeout = 20_000 });
        Assert.True(await page.Locator("details").EvaluateAsync<bool>("details => details.open"));
        Assert.Equal("A", await page.EvaluateAsync<string>("document.activeElement.tagName"));
        await _proxy.StopAsync();
        await page.Locator("#live:has-text('not connected')").WaitForAsync();
        Assert.DoesNotContain(window.Complaints, complaint => !complaint.Contains("ERR_", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_keyboard_is_enough()
    {
        await using var window = await browser.OpenAsync(_proxy.OperationsUrl);
        var page = await window.GoAsync("/");
        await page.Keyboard.PressAsync("Tab");
        Assert.Equal("Skip to the content", await FocusedAsync(page));
        Assert.True(await page.EvaluateAsync<double>("document.activeElement.getBoundingClientRect().left") >= 0);

        await TabToAsync(page, "Conflicts");
        Assert.NotEqual("none", await page.EvaluateAsync<string>("getComputedStyle(document.activeElement).outlineStyle"));
        await page.Keyboard.PressAsync("Enter");
        await AtAsync(page, "/conflicts");
        await TabToAsync(page, "split-1.0");
        await page.Keyboard.PressAsync("Enter");
        await AtAsync(page, $"/path/{_split.Path.Digest}");

        await TabToAsync(page, "q");
        await page.Keyboard.TypeAsync(_agreed.Path.Absolute);
        await page.Keyboard.PressAsync("Enter");
        await AtAsync(page, $"/path/{_agreed.Path.Digest}");
        await TabToAsync(page, "Download the bundle");
        var download = await page.RunAndWaitForDownloadAsync(() => page.Keyboard.PressAsync("Enter"));
        Assert.Equal("agreed-1.0.json", download.SuggestedFilename);
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task Without_javascript_everything_is_there()
    {
        await using var window = await browser.OpenAsync(_proxy.OperationsUrl, hasScript: false);
        var page = await window.GoAsync("/");

        await page.Locator("details summary").ClickAsync();
        await Assertions.Expect(page.Locator("details table")).ToBeVisibleAsync();
        await page.Locator("#q").FillAsync(_split.Path.Absolute);
        await page.Locator("#q").PressAsync("Enter");
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("split-1.0");
        await Assertions.Expect(page.Locator("main")).ToContainTextAsync("2 of 3 needed: alice=sha256:");
        await page.GetByRole(AriaRole.Link, new() { Name = "Doctor" }).ClickAsync();
        await Assertions.Expect(page.Locator("main")).ToContainTextAsync("2 paths, 2 of them installed");
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task A_name_that_somebody_has_pointed_here_gets_nothing_and_other_pages_read_nothing()
    {
        await using var window = await browser.OpenAsync(_proxy.OperationsUrl);
        var page = await window.GoAsync("/healthz");

        // A page of another origin: it may ask, and its browser must not let it have the answer.
        await using var other = await FakeUpstream.StartAsync();
        other.Intercept = async context =>
        {
            context.Response.ContentType = "text/html";
            await Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(context.Response, "<p>other</p>");
            return true;
        };
        await page.GotoAsync(other.Url.ToString());
        var read = await page.EvaluateAsync<string>(
            "url => fetch(url).then(answer => answer.text(), error => 'refused')", _proxy.OperationsUrl.ToString());
        var framed = await page.EvaluateAsync<bool>("""
            url => new Promise(resolve => {
              const frame = document.createElement('iframe');
              frame.onload = () => { let seen = false; try { seen = !!frame.contentDocument?.querySelector('main'); } catch { } resolve(seen); };
              frame.src = url;
              document.body.append(frame);
            })
            """, _proxy.OperationsUrl.ToString());
        using var foreign = new HttpRequestMessage(HttpMethod.Get, _proxy.OperationsUrl) { Headers = { Host = "evil.example" } };
        using var answer = await _proxy.Client.SendAsync(foreign);

        Assert.Equal(("refused", false), (read, framed));
        Assert.Equal(System.Net.HttpStatusCode.MisdirectedRequest, answer.StatusCode);
    }

    /// <summary>The least contrast of any text with the page's ground, as WCAG counts it.</summary>
    private const string LeastContrast = """
        () => {
          const parts = color => color.match(/[\d.]+/g).slice(0, 3).map(Number);
          const light = color => parts(color).map(part => part / 255).map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4).reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
          const ground = light(getComputedStyle(document.body).backgroundColor);
          return Math.min(...[...document.querySelectorAll('body *')].filter(element => element.childNodes.length && !element.closest('svg, script')).map(element => light(getComputedStyle(element).color)).map(text => (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05)));
        }
        """;

    private static Task<string> FocusedAsync(IPage page) =>
        page.EvaluateAsync<string>("document.activeElement.id || document.activeElement.textContent");

    /// <summary>
    /// Waits until the page is there, by looking: the library's own waiting for an address misses one that is reached at once.
    /// Waiting for a JavaScript condition would be refused: from its second look on it evaluates text, which the page's policy forbids.
    /// </summary>
    private async Task AtAsync(IPage page, string path)
    {
        await Assertions.Expect(page).ToHaveURLAsync(new Uri(_proxy.OperationsUrl, path).ToString(), new() { Timeout = 20_000 });
        await page.WaitForLoadStateAsync(LoadState.Load);
    }

    private static async Task TabToAsync(IPage page, string what)
    {
        for (var i = 0; await FocusedAsync(page) != what; i++)
        {
            Assert.True(i < 60, string.Create(CultureInfo.InvariantCulture, $"the keyboard does not come to {what}"));
            await page.Keyboard.PressAsync("Tab");
        }
    }
}
