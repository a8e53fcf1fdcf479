using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Upstreams;

/// <summary>Upstreams that want to know who asks, that want to be left alone for a while, and that are a folder.</summary>
public sealed class PrivateUpstreamTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Credentials_go_to_their_own_origin_alone_and_over_no_redirect_to_another(bool isBasic)
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await using var elsewhere = await FakeUpstream.StartAsync();
        var (shown, told) = (new ConcurrentQueue<string>(), new ConcurrentQueue<string>());
        proxy.Publish(output, "alice", "bob");
        var (nar, file) = ($"/{output.NarInfo().Url}", output.Nar);
        elsewhere.AddFile("/moved", file);
        elsewhere.Intercept = context => Tell(context, told);
        proxy.Upstream().AddFile("/back", file);
        proxy.Upstream().Intercept = async context =>
        {
            await Tell(context, shown);
            var isNar = context.Request.Path == nar;
            if (context.Request.Headers.Authorization.Count is 0)
            {
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            }
            else if (isNar)
            {
                context.Response.Redirect(new Uri(elsewhere.Url, "/moved").ToString());
            }

            return isNar || context.Response.StatusCode is StatusCodes.Status401Unauthorized;
        };
        var credentials = isBasic ? UpstreamCredentials.Basic("nix", "s3cret:") : UpstreamCredentials.Bearer("t0ken");
        proxy.Change = options =>
            options with { Upstreams = [.. options.Upstreams.Select(upstream => upstream with { Credentials = credentials })] };
        await proxy.StartAsync();

        Assert.Equal(output.Nar, await proxy.NarAsync(await proxy.NarInfoAsync(output)));
        Assert.Equal(isBasic ? "Basic bml4OnMzY3JldDo=" : "Bearer t0ken", shown.Distinct().Single());
        Assert.Equal("", told.Distinct().Single());
        Assert.DoesNotContain("ret", $"{proxy.Options!.Upstreams[0]}", StringComparison.Ordinal);
        Assert.DoesNotContain("t0ken", $"{proxy.Options!.Upstreams[0]}", StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_narinfo_that_names_another_server_is_followed_without_credentials()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await using var elsewhere = await FakeUpstream.StartAsync();
        var told = new ConcurrentQueue<string>();
        elsewhere.AddFile("/nar", output.Nar);
        elsewhere.Intercept = context => Tell(context, told);
        proxy.Publish(output, "alice", "bob").Upstream().Add(output, "none", text =>
            text.Replace($"URL: {output.NarInfo().Url}", $"URL: {new Uri(elsewhere.Url, "/nar")}", StringComparison.Ordinal));
        proxy.Change = options =>
            options with
            {
                Upstreams = [
            .. options.Upstreams.Select(upstream => upstream with { Credentials = UpstreamCredentials.Bearer("t0ken") })]
            };
        await proxy.StartAsync();

        Assert.Equal(output.Nar, await proxy.NarAsync(await proxy.NarInfoAsync(output)));
        Assert.Equal("", told.Distinct().Single());
    }

    [Theory]
    [InlineData(429, "30", 30)]
    [InlineData(503, "30", 30)]
    [InlineData(503, "Thu, 01 Jan 1970 00:00:20 GMT", 20)]
    [InlineData(500, "86400", 60)]
    [InlineData(429, null, 1)]
    [InlineData(429, "-5", 1)]
    [InlineData(503, null, 0)]
    [InlineData(503, "soon", 0)]
    [InlineData(404, "30", 0)]
    public async Task An_object_that_is_throttled_is_not_asked_for_before_its_time_within_bounds(
        int status, string? retryAfter, int seconds)
    {
        var (clock, asked) = (new ManualTime { Now = DateTimeOffset.UnixEpoch }, 0);
        using var network = new Answering(() =>
        {
            asked++;
            var response = new HttpResponseMessage((HttpStatusCode)status);
            response.Headers.TryAddWithoutValidation("Retry-After", retryAfter);
            return response;
        });
        using var http = Gate(network, clock, out _);
        using var first = await SendAsync(http, "x");

        if (seconds > 0)
        {
            clock.Now += TimeSpan.FromSeconds(seconds) - TimeSpan.FromTicks(1);
            await Assert.ThrowsAsync<UpstreamFaultException>(() => SendAsync(http, "x"));
            clock.Now += TimeSpan.FromTicks(1);
        }

        using var second = await SendAsync(http, "x");
        Assert.Equal(2, asked);
    }

    [Fact]
    public async Task A_throttled_object_leaves_the_others_be_and_three_of_them_hold_the_upstream()
    {
        var clock = new ManualTime();
        using var network = new Answering(() =>
        {
            var response = new HttpResponseMessage(HttpStatusCode.TooManyRequests);
            response.Headers.TryAddWithoutValidation("Retry-After", "30");
            return response;
        });
        using var http = Gate(network, clock, out var health);

        using var first = await SendAsync(http, "a");
        using var second = await SendAsync(http, "b");
        Assert.False(health.IsAway);
        using var third = await SendAsync(http, "c");

        Assert.Equal("away since 2030-01-01T00:00:00Z (throttled)", health.Status.ToString());
        await Assert.ThrowsAsync<UpstreamFaultException>(() => SendAsync(http, "d"));
        clock.Now += TimeSpan.FromSeconds(30);
        Assert.False(health.IsAway);
    }

    [Fact]
    public async Task Throttled_objects_a_minute_apart_hold_no_upstream()
    {
        var clock = new ManualTime();
        using var network = new Answering(() => new HttpResponseMessage(HttpStatusCode.TooManyRequests));
        using var http = Gate(network, clock, out var health);

        foreach (var name in new[] { "a", "b", "c", "d" })
        {
            using var response = await SendAsync(http, name);
            clock.Now += TimeSpan.FromMinutes(1);
        }

        Assert.False(health.IsAway);
    }

    [Fact]
    public async Task While_one_upstream_is_busy_another_serves_and_nobody_waits()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("spare");
        proxy.Publish(output, "alice", "bob").Upstream().Intercept = context =>
        {
            context.Response.StatusCode = StatusCodes.Status429TooManyRequests;
            context.Response.Headers.RetryAfter = "50";
            return Task.FromResult(true);
        };
        await proxy.StartAsync();

        Assert.Equal(output.Nar, await proxy.NarAsync(await proxy.NarInfoAsync(output)));
        Assert.Equal(output.Nar, await proxy.NarAsync(await proxy.NarInfoAsync(output)));
        Assert.Single(proxy.Upstream().Requests);
    }

    [Fact]
    public async Task What_an_upstream_does_not_have_is_not_asked_for_again_with_each_nar()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(output, "alice", "bob");
        (await proxy.AddUpstreamAsync("other")).Lie = UpstreamLie.Absent;
        await proxy.StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
        }

        Assert.InRange(proxy.Upstream("other").Requests.Count, 1, 4); // once in two seconds
    }

    [Theory]
    [InlineData("none")]
    [InlineData("xz")]
    public async Task A_folder_is_a_cache(string compression)
    {
        var output = TestOutput.Make(size: 300_000);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(output, "alice", "bob").Upstream().Lie = UpstreamLie.Absent;
        var (folder, narInfo) = (Path.Combine(proxy.StateDirectory, "cache"), output.NarInfo(compression));
        Directory.CreateDirectory(Path.Combine(folder, "nar"));
        await File.WriteAllTextAsync(Path.Combine(folder, $"{output.Path.Digest}.narinfo"), narInfo.ToString());
        await File.WriteAllBytesAsync(Path.Combine(folder, narInfo.Url), output.File(compression));
        proxy.Change = options => options with { Upstreams = [.. options.Upstreams, new("folder", new Uri($"file://{folder}"), 1)] };
        await proxy.StartAsync();

        Assert.Equal(output.File(compression), await proxy.NarAsync(await proxy.NarInfoAsync(output)));
    }

    [Fact]
    public async Task A_folder_gives_the_rest_of_a_file_and_nothing_outside_it_and_is_down_where_it_is_not_there()
    {
        var root = Directory.CreateTempSubdirectory("trustix-folder-").FullName;
        var folder = Directory.CreateDirectory(Path.Combine(root, "cache")).FullName;
        Directory.CreateDirectory(Path.Combine(folder, "nar"));
        await File.WriteAllBytesAsync(Path.Combine(folder, "file"), [1, 2, 3]);
        await File.WriteAllBytesAsync(Path.Combine(root, "outside"), [4]);
        File.CreateSymbolicLink(Path.Combine(folder, "zero"), "/dev/zero");
        using var http = new HttpMessageInvoker(new FolderTransport(folder));
        using var rest = await GetAsync("file", 1);
        using var end = await GetAsync("file", 3);
        Assert.Equal((HttpStatusCode.PartialContent, 1, 2),
            (rest.StatusCode, (int)rest.Content.Headers.ContentRange!.From!, (int)rest.Content.Headers.ContentLength!));
        Assert.Equal([2, 3], await rest.Content.ReadAsByteArrayAsync());
        Assert.Empty(await end.Content.ReadAsByteArrayAsync());

        foreach (
            var url in new[] { "../outside", "..%2foutside", "%2e%2e%2foutside", "nar/..%2f..%2foutside", "%2foutside", $"{root}/outside",
            "file%00", "zero", "nar", ".", "", "missing", "missing/file", "http://other.invalid/file",
            "https://folder.invalid/../../outside" })
        {
            using var answer = await GetAsync(url, null);
            Assert.Equal((url, HttpStatusCode.NotFound), (url, answer.StatusCode));
        }

        Directory.Delete(root, recursive: true);
        await Assert.ThrowsAsync<FolderUnavailableException>(() => GetAsync("file", null));

        async Task<HttpResponseMessage> GetAsync(string url, long? from)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(FolderTransport.Base, url));
            request.Headers.Range = from is null ? null : new(from, null);
            return await http.SendAsync(request, default);
        }
    }

    private static Task<bool> Tell(HttpContext context, ConcurrentQueue<string> authorizations)
    {
        authorizations.Enqueue(context.Request.Headers.Authorization.ToString());
        return Task.FromResult(false);
    }

    private static HttpMessageInvoker Gate(HttpMessageHandler network, TimeProvider clock, out UpstreamHealth health)
    {
        health = new UpstreamHealth("cache", clock, NullLogger.Instance);
        return new HttpMessageInvoker(new UpstreamGate(network, 0, new UpstreamThrottle(health, clock), health));
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpMessageInvoker http, string name)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://cache/{name}"));
        return await http.SendAsync(request, default);
    }

    private sealed class Answering(Func<HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(answer());
    }
}
