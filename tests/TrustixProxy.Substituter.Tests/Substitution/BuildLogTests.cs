using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Substitution;

/// <summary>Build logs come from upstreams as they are: marked, bounded, and never as a page.</summary>
public sealed class BuildLogTests
{
    private static readonly byte[] Log = [.. Encoding.UTF8.GetBytes("building\u001b[1m…\n"), .. new byte[200_000]];

    private static readonly StorePath Derivation = TestOutput.PathOf("hello-1.0.drv");

    private static string Address => $"log/{Derivation}";

    [Theory]
    [InlineData("none")]
    [InlineData("br")]
    [InlineData("xz")]
    public async Task It_is_passed_on_as_plain_text_and_marked_as_unverified(string encoding)
    {
        await using var proxy = new TestProxy();
        (await proxy.AddUpstreamAsync("main")).Intercept = async context =>
        {
            context.Response.ContentType = "application/octet-stream";
            context.Response.Headers.ContentEncoding = encoding is "none" ? default : encoding;
            context.Response.Headers.SetCookie = "a=b";
            await context.Response.Body.WriteAsync(TestOutput.Compress(encoding, Log));
            return true;
        };
        await proxy.StartAsync();

        using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, Address));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(Log, await response.Content.ReadAsByteArrayAsync());
        Assert.Equal("text/plain; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("nosniff", response.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal("unverified", response.Headers.GetValues("X-Trustix-Decision").Single());
        Assert.Empty(response.Content.Headers.ContentEncoding);
        Assert.False(response.Headers.Contains("Set-Cookie"));
        Assert.Equal($"GET /{Address}", Assert.Single(proxy.Upstream().Requests));
    }

    [Fact]
    public async Task The_first_upstream_by_priority_that_has_it_sends_it_whoever_is_quicker()
    {
        await using var proxy = new TestProxy();
        (await proxy.AddUpstreamAsync("empty")).Lie = UpstreamLie.Absent;
        (await proxy.AddUpstreamAsync("broken")).Lie = UpstreamLie.Unavailable;
        (await proxy.AddUpstreamAsync("first")).AddFile($"/{Address}", "first"u8.ToArray());
        proxy.Upstream("first").Delay = TimeSpan.FromMilliseconds(300);
        (await proxy.AddUpstreamAsync("second")).AddFile($"/{Address}", "second"u8.ToArray());
        await proxy.StartAsync();

        Assert.Equal("first", (await proxy.AskAsync(Address)).Text);
    }

    [Fact]
    public async Task A_head_request_has_the_headers_and_no_body()
    {
        await using var proxy = new TestProxy();
        (await proxy.AddUpstreamAsync("main")).AddFile($"/{Address}", Log);
        await proxy.StartAsync();

        using var response = await proxy.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, new Uri(proxy.Url, Address)));

        Assert.Equal((HttpStatusCode.OK, Log.Length), (response.StatusCode, response.Content.Headers.ContentLength));
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("Text/HTML; charset=utf-8")]
    [InlineData("application/xhtml+xml")]
    public async Task A_page_is_no_log(string type)
    {
        await using var proxy = new TestProxy();
        (await proxy.AddUpstreamAsync("main")).Intercept = async context =>
        {
            context.Response.ContentType = type;
            await context.Response.WriteAsync("<script>alert(1)</script>");
            return true;
        };
        await proxy.StartAsync();

        var answer = await proxy.AskAsync(Address);

        Assert.Equal((HttpStatusCode.NotFound, null, $"{Derivation}: no upstream has its build log\n"),
            (answer.Status, answer.Decision, answer.Text));
    }

    [Fact]
    public async Task One_that_declares_to_be_huge_is_not_begun()
    {
        await using var proxy = new TestProxy();
        (await proxy.AddUpstreamAsync("main")).Intercept = async context =>
        {
            context.Response.ContentLength = (256L << 20) + 1;
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
            return true;
        };
        await proxy.StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(Address)).Status);
    }

    [Fact]
    public async Task An_endless_one_ends_with_a_broken_connection_and_never_looks_whole()
    {
        var zeros = TestOutput.Compress("xz", new byte[(256 << 20) + 1]);
        await using var proxy = new TestProxy();
        (await proxy.AddUpstreamAsync("main")).Intercept = async context =>
        {
            context.Response.Headers.ContentEncoding = "xz";
            await context.Response.Body.WriteAsync(zeros);
            return true;
        };
        await proxy.StartAsync();

        var read = await ReadAsync(proxy);

        Assert.True(read.IsBroken);
        Assert.InRange(read.Count, 1, 256L << 20);
    }

    [Fact]
    public async Task One_that_breaks_off_breaks_off_here()
    {
        await using var proxy = new TestProxy();
        (await proxy.AddUpstreamAsync("main")).Intercept = async context =>
        {
            await context.Response.Body.WriteAsync(Log);
            await context.Response.Body.FlushAsync();
            context.Abort();
            return true;
        };
        await proxy.StartAsync();

        Assert.True((await ReadAsync(proxy)).IsBroken);
    }

    [Fact]
    public async Task One_that_falls_silent_before_its_first_byte_leaves_the_answer_to_another()
    {
        await using var proxy = new TestProxy();
        (await proxy.AddUpstreamAsync("silent")).Intercept = async context =>
        {
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
            return true;
        };
        (await proxy.AddUpstreamAsync("second")).AddFile($"/{Address}", "second"u8.ToArray());
        proxy.Change = options => options with { Deadline = TimeSpan.FromMilliseconds(500) };
        await proxy.StartAsync();

        Assert.Equal("second", (await proxy.AskAsync(Address)).Text);
    }

    [Fact]
    public async Task An_upstream_that_the_name_is_kept_from_is_not_asked()
    {
        await using var proxy = new TestProxy();
        (await proxy.AddUpstreamAsync("public")).AddFile($"/{Address}", Log);
        proxy.Change = options => options with
        {
            Upstreams = [.. options.Upstreams.Select(known => known with { Except = ["hello-1.0"] })],
        };
        await proxy.StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(Address)).Status);
        Assert.Empty(proxy.Upstream("public").Requests);
    }

    [Fact]
    public async Task A_name_with_a_question_mark_is_asked_for_whole()
    {
        var odd = TestOutput.PathOf("hello?a=b.drv");
        await using var proxy = new TestProxy();
        (await proxy.AddUpstreamAsync("main")).AddFile($"/log/{odd}", "odd"u8.ToArray());
        await proxy.StartAsync();

        Assert.Equal("odd", (await proxy.AskAsync($"log/{Uri.EscapeDataString($"{odd}")}")).Text);
    }

    private static async Task<(long Count, bool IsBroken)> ReadAsync(TestProxy proxy)
    {
        using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, Address), HttpCompletionOption.ResponseHeadersRead);
        await using var body = await response.Content.ReadAsStreamAsync();
        var (count, buffer) = (0L, new byte[1 << 20]);
        try
        {
            while (await body.ReadAsync(buffer) is var read and > 0)
            {
                count += read;
            }

            return (count, false);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return (count, true);
        }
    }
}
