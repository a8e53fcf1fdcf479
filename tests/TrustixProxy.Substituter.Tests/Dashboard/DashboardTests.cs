using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using TrustixProxy.Substituter.Dashboard;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Dashboard;

/// <summary>The dashboard's pages as they are sent, without a browser.</summary>
public sealed partial class DashboardTests
{
    private const string Hostile = "<script>alert(1)</script>\"'&{{x}}";

    [Fact]
    public async Task The_overview_says_what_is_decided_and_how_all_fare()
    {
        var (agreed, split) = (TestOutput.Make("agreed"), TestOutput.Make("split"));
        await using var proxy = await StartAsync(agreed, split);

        // Every one of three electors and the upstream has been heard: two electors already suffice to decide.
        var page = await WaitForAsync(proxy, "/", page => page.Split(">live<").Length is 5);

        Assert.Contains($"<a href=\"/path/{agreed.Path.Digest}\">agreed</a>", page, StringComparison.Ordinal);
        Assert.Contains("<span class=\"badge bad\">conflict</span>", page, StringComparison.Ordinal);
        Assert.Contains("2 decisions in the last hour", page, StringComparison.Ordinal);
        Assert.Matches("<rect [^>]+ class=\"good\">.*<rect [^>]+ class=\"bad\">", page.ReplaceLineEndings(""));
        Assert.Contains("can decide", page, StringComparison.Ordinal);
        Assert.Contains("2 of 3 must agree", page, StringComparison.Ordinal);
        Assert.All(new[] { "alice", "bob", "carol" }, name => Assert.Contains(
            $"<a href=\"/elector?name={name}\">{name}</a> <span class=\"badge good\">live</span>", page, StringComparison.Ordinal));
        Assert.Contains("<a href=\"/upstream?name=main\">main</a> <span class=\"badge good\">live</span>", page, StringComparison.Ordinal);
        Assert.Contains("<li class=\"vote agrees\"><b>alice</b> agrees</li>", page, StringComparison.Ordinal);
        Assert.Contains("<li class=\"vote other-claim\"><b>bob</b> claim B</li>", page, StringComparison.Ordinal);
        Assert.Contains("the last day", await TextAsync(proxy, "/?span=day"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_decisions_page_has_votes_side_by_side_proofs_the_sentence_and_the_bundle()
    {
        var (agreed, split) = (TestOutput.Make("agreed"), TestOutput.Make("split"));
        await using var proxy = await StartAsync(agreed, split);

        var good = await TextAsync(proxy, $"/path/{agreed.Path.Digest}");
        var bad = await TextAsync(proxy, $"/path/{split.Path.Digest}");

        Assert.Contains($"<code>{agreed.Path.Absolute}</code>", good, StringComparison.Ordinal);
        Assert.Contains("proofs hold", good, StringComparison.Ordinal);
        Assert.Contains($"href=\"/decisions/{agreed.Path.Digest}\" download=\"agreed.json\"", good, StringComparison.Ordinal);
        Assert.Contains("<td>tied to leaf 0</td>", good, StringComparison.Ordinal);
        Assert.Contains("alice, bob", good, StringComparison.Ordinal);
        Assert.Contains("2 of 3 needed: alice=sha256:", bad, StringComparison.Ordinal);
        Assert.Matches("<h3>Claim A .*<h3>Claim B ", bad.ReplaceLineEndings(""));
    }

    [Fact]
    public async Task What_is_not_known_or_no_path_is_said_so_and_any_spelling_of_a_path_leads_to_it()
    {
        var path = TestOutput.PathOf("unheard-of");
        await using var proxy = await StartAsync();

        foreach (var text in new[] { path.Absolute, path.ToString(), path.Digest.ToString(), $" {path.Absolute} " })
        {
            using var found = await GetAsync(proxy, $"/path?q={Uri.EscapeDataString(text)}");
            Assert.Equal((HttpStatusCode.SeeOther, $"/path/{path.Digest}"), (found.StatusCode, found.Headers.Location!.ToString()));
        }

        using var unknown = await GetAsync(proxy, $"/path/{path.Digest}");
        using var none = await GetAsync(proxy, $"/path?q={Uri.EscapeDataString(Hostile)}");
        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound), (unknown.StatusCode, none.StatusCode));
        Assert.Contains($"trustix-proxy explain {path.Digest}", await unknown.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        AssertHarmless(await none.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.NotFound, (await GetAsync(proxy, "/path/nonsense")).StatusCode);
    }

    [Fact]
    public async Task The_matrix_says_how_many_paths_two_electors_agree_about()
    {
        var (agreed, split) = (TestOutput.Make("agreed"), TestOutput.Make("split"));
        await using var proxy = await StartAsync(agreed, split);

        var page = await TextAsync(proxy, "/conflicts");

        Assert.Contains("1 of 2 (50 %)", page, StringComparison.Ordinal);
        Assert.Contains($"<a href=\"/path/{split.Path.Digest}\">split</a>", page, StringComparison.Ordinal);
        Assert.Matches("<li>alice since <time [^<]+</time>: <code>sha256:", page);
        Assert.DoesNotContain($"/path/{agreed.Path.Digest}", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_and_reports_of_others_are_text_on_every_page()
    {
        var output = TestOutput.Make("hello-1.0");
        await using var proxy = await StartAsync([output], proxy =>
        {
            proxy.ChangeElector = elector => elector with { Name = $"{elector.Name}{Hostile}", Operator = $"{elector.Name}{Hostile}" };
            proxy.Change = options =>
                options with { Upstreams = [.. options.Upstreams.Select(upstream => upstream with { Name = Hostile })] };
        });
        new DoctorSummary(
            1, 1, new Dictionary<string, int> { [Hostile] = 1 },
                [new(Hostile, Hostile, Hostile, new Dictionary<string, string> { [Hostile] = Hostile })],
            [new(Hostile, Hostile, Hostile, true, Hostile, 1, new Dictionary<string, string>())],
                [new(Hostile, 1, new Dictionary<string, int> { [Hostile] = 1 })]).Keep(proxy.StateDirectory);

        var (elector, upstream) = (Uri.EscapeDataString($"alice{Hostile}"), Uri.EscapeDataString(Hostile));
        foreach (var path in new[] { "/", "/?span=day", "/paths", "/path?q=hello", "/conflicts", "/doctor", $"/path/{output.Path.Digest}",
            $"/elector?name={elector}", $"/upstream?name={upstream}" })
        {
            var page = await TextAsync(proxy, path);
            AssertHarmless(page);
            Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;{{x}}", page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_charts_and_the_search_know_outlives_a_restart()
    {
        var output = TestOutput.Make("kept-1.0");
        await using var proxy = await StartAsync([output], _ => { });
        await proxy.NarAsync(await proxy.NarInfoAsync(output));
        await Eventually.UntilAsync(async () => (await TextAsync(proxy, "/elector?name=alice"))
            .Contains("1 answer in the last day", StringComparison.Ordinal));
        await Eventually.UntilAsync(async () => (await TextAsync(proxy, "/")).Contains("1 NAR and", StringComparison.Ordinal));
        await proxy.StopGentlyAsync();
        await proxy.StartAsync();

        await Eventually.UntilAsync(async () => (await TextAsync(proxy, "/elector?name=alice"))
            .Contains("1 answer in the last day", StringComparison.Ordinal));
        await Eventually.UntilAsync(async () => (await TextAsync(proxy, "/?span=day"))
            .Contains("1 decision in the last day", StringComparison.Ordinal));
        await Eventually.UntilAsync(async () => (await TextAsync(proxy, "/")).Contains("1 NAR and", StringComparison.Ordinal));
        await Eventually.UntilAsync(async () =>
        {
            using var found = await GetAsync(proxy, "/path?q=kept");
            return (await found.Content.ReadAsStringAsync()).Contains($"/path/{output.Path.Digest}", StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task An_elector_and_an_upstream_that_are_not_there_have_no_page_and_others_see_no_work_list_without_a_token()
    {
        await using var proxy = await StartAsync();

        Assert.All(await Task.WhenAll(GetAsync(proxy, "/elector?name=x"), GetAsync(proxy, "/upstream"),
            GetAsync(proxy, $"/closure/{TestOutput.PathOf("x").Digest}")), page => Assert.Equal(HttpStatusCode.NotFound, page.StatusCode));
        Assert.Contains("Nothing waits for a vote", await TextAsync(proxy, "/work"), StringComparison.Ordinal);
        Assert.Contains("only with a token", WorkPage.Of(null).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_report_that_is_damaged_or_missing_is_none()
    {
        await using var proxy = await StartAsync();

        Assert.Contains("No report yet", await TextAsync(proxy, "/doctor"), StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(proxy.StateDirectory, "doctor.json"), "{\"paths\":1}");
        Assert.Contains("No report yet", await TextAsync(proxy, "/doctor"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Proofs_that_were_altered_on_the_disk_are_not_shown_as_such()
    {
        var output = TestOutput.Make("altered");
        await using var proxy = await StartAsync([output], _ => { });
        await proxy.StopAsync();
        await using (var database = new SqliteConnection($"Data Source={Path.Combine(proxy.StateDirectory, "state.sqlite")};Pooling=False"))
        {
            await database.OpenAsync();
            await using var command = database.CreateCommand();
            command.CommandText = "UPDATE bundle SET bundle = x'ffffffff'";
            Assert.Equal(1, await command.ExecuteNonQueryAsync());
        }

        await proxy.StartAsync();
        using var page = await GetAsync(proxy, $"/path/{output.Path.Digest}");
        using var bundle = await GetAsync(proxy, $"/decisions/{output.Path.Digest}");

        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound), (page.StatusCode, bundle.StatusCode));
        Assert.DoesNotContain("proofs hold", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/conflicts")]
    [InlineData("/doctor")]
    [InlineData("/path?q=x")]
    [InlineData("/paths")]
    [InlineData("/work")]
    [InlineData("/elector?name=alice")]
    [InlineData("/upstream?name=main")]
    [InlineData("/dashboard.js")]
    [InlineData("/dashboard.css")]
    public async Task Every_answer_has_the_strict_policy_and_no_name_but_ours_gets_one(string path)
    {
        await using var proxy = await StartAsync();

        using var answer = await GetAsync(proxy, path);
        using var foreign = new HttpRequestMessage(
            HttpMethod.Get, new Uri(proxy.OperationsUrl, path))
        { Headers = { Host = "evil.example" } };
        using var refused = await proxy.Client.SendAsync(foreign);

        Assert.Equal(
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri "
                + "'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
            answer.Headers.GetValues("Content-Security-Policy").Single());
        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.True(answer.Headers.CacheControl!.NoStore);
        Assert.Equal(HttpStatusCode.MisdirectedRequest, refused.StatusCode);
        Assert.DoesNotContain("<", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_looks_is_told_of_a_change_and_the_listener_stops_all_the_same()
    {
        await using var proxy = await StartAsync();
        using var answer = await proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, "/events"), HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        await ReadUntilAsync(reader, "event: hello");

        await proxy.AskAsync(TestOutput.PathOf("new"));
        await ReadUntilAsync(reader, "event: change");

        var start = System.Diagnostics.Stopwatch.StartNew();
        await proxy.StopAsync();
        Assert.InRange(start.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20)); // a host waits 30 s for requests that do not end
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task No_more_look_at_once_than_can_be_told()
    {
        await using var proxy = await StartAsync();
        var streams = new List<HttpResponseMessage>();
        for (var i = 0; i < LiveEvents.Most; i++)
        {
            streams.Add(await proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, "/events"), HttpCompletionOption.ResponseHeadersRead));
        }

        using var refused = await GetAsync(proxy, "/events");
        streams.ForEach(stream => stream.Dispose());

        Assert.All(streams, stream => Assert.Equal(HttpStatusCode.OK, stream.StatusCode));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
    }

    /// <summary>One script, which is ours; no handler, style or address but our own.</summary>
    private static void AssertHarmless(string page)
    {
        Assert.Equal("<script src=\"/dashboard.js\" defer>", Script.Match(page).Value);
        Assert.Equal(1, Script.Count(page));
        Assert.All(Tag.Matches(page), tag => Assert.DoesNotMatch("""(?i)\s(on[a-z]+|style|srcdoc)\s*=""", tag.Value));
        Assert.All(Address.Matches(page), address => Assert.Matches("^(/[^/]|/$|#|data:,$)", address.Groups[1].Value));
    }

    private static Task<TestProxy> StartAsync() => StartAsync([], _ => { });

    /// <summary>A proxy that has agreed on the one output, and not on the other, about which alice and bob disagree.</summary>
    private static async Task<TestProxy> StartAsync(TestOutput agreed, TestOutput split)
    {
        var proxy = await StartAsync([agreed], proxy =>
        {
            proxy.Publish(split, "alice");
            proxy.Log("bob").Publish(split.Forge().Statement);
        });
        Assert.Equal("conflict", (await proxy.AskAsync(split.Path)).Decision);
        return proxy;
    }

    private static async Task<TestProxy> StartAsync(TestOutput[] agreed, Action<TestProxy> change)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        Array.ForEach(agreed, output => proxy.Publish(output, "alice", "bob"));
        change(proxy);
        await proxy.StartAsync();
        foreach (var output in agreed)
        {
            await proxy.NarInfoAsync(output);
        }

        return proxy;
    }

    private static Task<HttpResponseMessage> GetAsync(TestProxy proxy, string path) =>
        proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, path));

    private static async Task<string> TextAsync(TestProxy proxy, string path)
    {
        using var answer = await GetAsync(proxy, path);
        Assert.Equal((HttpStatusCode.OK, "text/html; charset=utf-8"), (answer.StatusCode, answer.Content.Headers.ContentType!.ToString()));
        return await answer.Content.ReadAsStringAsync();
    }

    private static async Task<string> WaitForAsync(TestProxy proxy, string path, Func<string, bool> isReady)
    {
        for (var i = 0; ; i++)
        {
            var page = await TextAsync(proxy, path);
            if (isReady(page) || i is 200)
            {
                return page;
            }

            await Task.Delay(50);
        }
    }

    private static async Task ReadUntilAsync(StreamReader reader, string line)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await reader.ReadLineAsync(limit.Token) != line)
        {
        }
    }

    [GeneratedRegex("<script[^>]*>", RegexOptions.IgnoreCase)]
    private static partial Regex Script { get; }

    [GeneratedRegex("<[a-z][^>]*>", RegexOptions.IgnoreCase)]
    private static partial Regex Tag { get; }

    [GeneratedRegex("(?:href|src|action)=\"([^\"]*)\"")]
    private static partial Regex Address { get; }
}
