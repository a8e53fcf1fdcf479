using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using TrustixProxy.Testing;

namespace TrustixProxy.Browser;

/// <summary>The dashboard as people use it.</summary>
[Collection(nameof(Browser))]
public sealed class DashboardTests(Browser browser) : IAsyncLifetime
{
    private const string Hostile = DashboardStage.Hostile;

    private DashboardStage _stage = null!;

    private TestProxy Proxy => _stage.Proxy;

    public async Task InitializeAsync() => _stage = await DashboardStage.StartAsync();

    public async Task DisposeAsync() => await _stage.DisposeAsync();

    [Theory]
    [InlineData(ColorScheme.Light, 1280)]
    [InlineData(ColorScheme.Dark, 1280)]
    [InlineData(ColorScheme.Dark, 360)]
    [InlineData(ColorScheme.Light, 360)]
    public async Task Each_page_in_both_themes_fits_a_screen_and_a_phone_and_can_be_read(ColorScheme theme, int width)
    {
        await using var window = await browser.OpenAsync(Proxy.OperationsUrl, theme, width);
        foreach (var (i, path) in _stage.Paths.Index())
        {
            var page = await window.GoAsync(path);
            await page.Locator("#live:has-text('live')").WaitForAsync();
            await Window.PictureAsync(page, $"{i}-{theme}-{width}");

            Assert.Equal(width, await page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
            Assert.Equal(theme is ColorScheme.Dark,
                await page.EvaluateAsync<int>("parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])") < 128);
            await page.CloseAsync();
        }

        Assert.DoesNotContain(window.Complaints, complaint => !complaint.Contains("status of 404", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Hostile_names_are_read_as_they_are_and_nothing_of_them_runs()
    {
        await using var window = await browser.OpenAsync(Proxy.OperationsUrl);
        foreach (var path in _stage.Paths.Where(path => !path.StartsWith("/path?", StringComparison.Ordinal)
            && !path.StartsWith("/closure", StringComparison.Ordinal) && !path.StartsWith("/upstream", StringComparison.Ordinal)))
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
        Assert.DoesNotContain(window.Complaints, complaint => !complaint.Contains("status of 404", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_page_that_is_looked_at_shows_what_is_decided_without_being_asked_and_keeps_the_place()
    {
        await using var window = await browser.OpenAsync(Proxy.OperationsUrl);
        var page = await window.GoAsync("/");
        await page.Locator("#live:has-text('live')").WaitForAsync();
        await page.Locator("details summary").First.ClickAsync();
        await page.Locator("main a", new() { HasText = "split-1.0" }).FocusAsync();

        await Proxy.NarInfoAsync(_stage.Unasked);

        await Assertions.Expect(page.Locator("main")).ToContainTextAsync("brand-new-1.0", new() { Timeout = 20_000 });
        Assert.True(await page.Locator("details").First.EvaluateAsync<bool>("details => details.open"));
        Assert.Equal("A", await page.EvaluateAsync<string>("document.activeElement.tagName"));
        await Proxy.StopAsync();
        await page.Locator("#live:has-text('not connected')").WaitForAsync();
        Assert.DoesNotContain(window.Complaints, complaint => !complaint.Contains("ERR_", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_keyboard_is_enough()
    {
        await using var window = await browser.OpenAsync(Proxy.OperationsUrl);
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
        await AtAsync(page, $"/path/{_stage.Split.Path.Digest}");

        await TabToAsync(page, "q");
        await page.Keyboard.TypeAsync(_stage.Agreed.Path.Absolute);
        await page.Keyboard.PressAsync("Enter");
        await AtAsync(page, $"/path/{_stage.Agreed.Path.Digest}");
        await TabToAsync(page, "Download the bundle");
        var download = await page.RunAndWaitForDownloadAsync(() => page.Keyboard.PressAsync("Enter"));
        Assert.Equal("agreed-1.0.json", download.SuggestedFilename);
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task Without_javascript_everything_is_there()
    {
        await using var window = await browser.OpenAsync(Proxy.OperationsUrl, hasScript: false);
        var page = await window.GoAsync("/");

        await page.Locator("details summary").First.ClickAsync();
        await Assertions.Expect(page.Locator("details table").First).ToBeVisibleAsync();
        await page.Locator("#q").FillAsync(_stage.Split.Path.Absolute);
        await page.Locator("#q").PressAsync("Enter");
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("split-1.0");
        await Assertions.Expect(page.Locator("main")).ToContainTextAsync("2 of 4 needed: alice=sha256:");
        await page.GetByRole(AriaRole.Link, new() { Name = "Doctor" }).ClickAsync();
        await Assertions.Expect(page.Locator("main")).ToContainTextAsync("2 paths, 2 of them installed");
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task Votes_stand_side_by_side_and_each_says_one_thing()
    {
        await using var window = await browser.OpenAsync(Proxy.OperationsUrl);
        var page = await window.GoAsync($"/path/{_stage.Root.Path.Digest}");
        var votes = page.Locator(".votes .vote");

        await Assertions.Expect(votes).ToHaveTextAsync(
            [new Regex("^alice agrees"), new Regex("^bob agrees"), new Regex("^carol.*other claim"), new Regex("^dora frozen")]);
        var boxes = new List<LocatorBoundingBoxResult>();
        for (var i = 0; i < 2; i++)
        {
            boxes.Add((await votes.Nth(i).BoundingBoxAsync())!);
        }

        Assert.Equal(boxes[0].Y, boxes[1].Y);
        Assert.True(boxes[1].X > boxes[0].X + boxes[0].Width);
        await page.GotoAsync($"/path/{_stage.Split.Path.Digest}");
        await Assertions.Expect(votes.Nth(0)).ToHaveTextAsync("alice claim A");
        await Assertions.Expect(votes.Nth(1)).ToHaveTextAsync("bob claim B");
        await Assertions.Expect(votes.Nth(2)).ToContainTextAsync("absent");
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task A_part_of_a_name_finds_its_path_and_a_root_shows_what_holds_it_back()
    {
        await using var window = await browser.OpenAsync(Proxy.OperationsUrl, hasScript: false);
        var page = await window.GoAsync("/");
        await page.Locator("#q").FillAsync("root-");
        await page.Locator("#q").PressAsync("Enter");
        await page.Locator("main .rows a").ClickAsync();
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("root-1.0");
        await page.GetByText("Its closure as a tree").ClickAsync();

        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("Closure of root-1.0");
        await Assertions.Expect(page.Locator(".tree > li.good > details > ul > li.bad")).ToContainTextAsync("split-1.0 conflict");
        await Assertions.Expect(page.Locator(".tree ul > li.good")).ToContainTextAsync("agreed-1.0 agreed");
        await Assertions.Expect(page.Locator(".tree > li > details > summary")).ToContainTextAsync("refused below");
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task Each_elector_and_each_upstream_has_a_page_that_says_how_it_fares()
    {
        await using var window = await browser.OpenAsync(Proxy.OperationsUrl, hasScript: false);
        var page = await window.GoAsync("/");

        await page.Locator(".card a", new() { HasText = "dora" }).ClickAsync();
        await Assertions.Expect(page.Locator("main")).ToContainTextAsync("frozen: map-contradiction");
        await Assertions.Expect(page.Locator(".notice")).ToContainTextAsync("trustix-proxy verify FILE");
        await page.GoBackAsync();
        await page.Locator(".card a", new() { HasText = "alice" }).ClickAsync();
        await Assertions.Expect(page.Locator("main")).ToContainTextAsync("Answers in");
        await Assertions.Expect(page.Locator("main svg rect.good").First).ToBeAttachedAsync();
        await page.GotoAsync("/");
        await page.GetByRole(AriaRole.Link, new() { Name = "main", Exact = true }).ClickAsync();
        await Assertions.Expect(page.Locator("main .status-line")).ToContainTextAsync("since");
        await Assertions.Expect(page.GetByRole(AriaRole.Table, new() { Name = "Refused NARs" })).ToContainTextAsync("root-1.0");
        await page.GetByRole(AriaRole.Link, new() { Name = "Work list" }).ClickAsync();
        await Assertions.Expect(page.Locator("main")).ToContainTextAsync("split-1.0");
        await Assertions.Expect(page.Locator("main")).ToContainTextAsync("tie-break");
        Assert.Empty(window.Complaints);
    }

    [Fact]
    public async Task A_name_that_somebody_has_pointed_here_gets_nothing_and_other_pages_read_nothing()
    {
        await using var window = await browser.OpenAsync(Proxy.OperationsUrl);
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
            "url => fetch(url).then(answer => answer.text(), error => 'refused')", Proxy.OperationsUrl.ToString());
        var framed = await page.EvaluateAsync<bool>("""
            url => new Promise(resolve => {
              const frame = document.createElement('iframe');
              frame.onload = () => { let seen = false; try { seen = !!frame.contentDocument?.querySelector('main'); } catch { } resolve(seen); };
              frame.src = url;
              document.body.append(frame);
            })
            """, Proxy.OperationsUrl.ToString());
        using var foreign = new HttpRequestMessage(HttpMethod.Get, Proxy.OperationsUrl) { Headers = { Host = "evil.example" } };
        using var answer = await Proxy.Client.SendAsync(foreign);

        Assert.Equal(("refused", false), (read, framed));
        Assert.Equal(System.Net.HttpStatusCode.MisdirectedRequest, answer.StatusCode);
    }

    private static Task<string> FocusedAsync(IPage page) =>
        page.EvaluateAsync<string>("document.activeElement.id || document.activeElement.textContent");

    /// <summary>
    /// Waits until the page is there, by looking: the library's own waiting for an address misses one that is reached at once.
    /// Waiting for a JavaScript condition would be refused: from its second look on it evaluates text, which the page's policy forbids.
    /// </summary>
    private async Task AtAsync(IPage page, string path)
    {
        await Assertions.Expect(page).ToHaveURLAsync(new Uri(Proxy.OperationsUrl, path).ToString(), new() { Timeout = 20_000 });
        await page.WaitForLoadStateAsync(LoadState.Load);
    }

    private static async Task TabToAsync(IPage page, string what)
    {
        for (var i = 0; await FocusedAsync(page) != what; i++)
        {
            Assert.True(i < 150, string.Create(CultureInfo.InvariantCulture, $"the keyboard does not come to {what}"));
            await page.Keyboard.PressAsync("Tab");
        }
    }
}
