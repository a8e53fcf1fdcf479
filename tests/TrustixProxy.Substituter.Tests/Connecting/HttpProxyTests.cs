using System.Net;
using System.Security.Authentication;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Logs.Client;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Connecting;

/// <summary>Peers that only an HTTP proxy leads to.</summary>
public sealed class HttpProxyTests
{
    private static readonly NetworkCredential Ours = new("me", "s3cret");

    [Theory]
    [InlineData("http_proxy=http://proxy:3128", "http://cache.example", "http://proxy:3128")]
    [InlineData("http_proxy=proxy:3128", "http://cache.example", "http://proxy:3128")]
    [InlineData("http_proxy=proxy", "http://cache.example", "http://proxy")]
    [InlineData("http_proxy=http://user:p%40ss@proxy:3128/", "http://cache.example", "http://proxy:3128")]
    [InlineData("http_proxy=http://proxy:3128", "https://cache.example", null)]
    [InlineData("https_proxy=http://proxy:3128", "https://cache.example", "http://proxy:3128")]
    [InlineData("HTTPS_PROXY=http://proxy:3128", "https://cache.example", "http://proxy:3128")]
    [InlineData("HTTP_PROXY=http://proxy:3128", "http://cache.example", "http://proxy:3128")]
    [InlineData("HTTP_PROXY=http://proxy:3128;GATEWAY_INTERFACE=CGI/1.1", "http://cache.example", null)]
    [InlineData("http_proxy=http://small:1;HTTP_PROXY=http://large:1", "http://cache.example", "http://small:1")]
    [InlineData("http_proxy=;HTTP_PROXY=http://large:1", "http://cache.example", "http://large:1")]
    [InlineData("all_proxy=http://proxy:3128", "https://cache.example", "http://proxy:3128")]
    [InlineData("ALL_PROXY=http://proxy:3128", "http://cache.example", "http://proxy:3128")]
    [InlineData("all_proxy=http://all:1;https_proxy=http://proxy:3128", "https://cache.example", "http://proxy:3128")]
    [InlineData("all_proxy=socks5h://proxy", "https://cache.example", "socks5://proxy:1080")]
    [InlineData("http_proxy=http://proxy:3128", "http://localhost:8080", null)]
    [InlineData("http_proxy=http://proxy:3128", "http://127.0.0.9", null)]
    [InlineData("http_proxy=http://proxy:3128", "http://[::1]:80", null)]
    [InlineData("http_proxy=http://proxy:3128", "http://a.localhost.", null)]
    [InlineData("http_proxy=http://proxy:3128", "http://10.0.0.1", "http://proxy:3128")]
    [InlineData("", "http://cache.example", null)]
    public void The_environment_names_the_proxy_as_for_curl(string environment, string address, string? expected)
    {
        var proxies = HttpProxies.OfEnvironment(Variables(environment), out var faults);

        Assert.Empty(faults);
        Assert.Equal(expected, proxies.For(new Uri(address))?.ToString());
        Assert.DoesNotContain("p@ss", $"{proxies}", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("*", "http://cache.example", true)]
    [InlineData("example", "http://cache.example", true)]
    [InlineData("cache.example", "http://cache.example", true)]
    [InlineData(".example", "http://cache.example", true)]
    [InlineData(".cache.example", "http://cache.example", true)]
    [InlineData("*.example", "http://cache.example", true)]
    [InlineData("CACHE.Example", "http://cache.EXAMPLE.", true)]
    [InlineData("ache.example", "http://cache.example", false)]
    [InlineData("other,cache.example", "http://cache.example", true)]
    [InlineData("other cache.example", "http://cache.example", true)]
    [InlineData("cache.example:80", "http://cache.example", true)]
    [InlineData("cache.example:8080", "http://cache.example", false)]
    [InlineData("10.0.0.0/8", "http://10.1.2.3", true)]
    [InlineData("10.9.9.9/8", "http://10.1.2.3", true)]
    [InlineData("10.0.0.0/8", "http://11.1.2.3", false)]
    [InlineData("10.1.2.3", "http://10.1.2.3", true)]
    [InlineData("10.1.2.3:80", "http://10.1.2.3", true)]
    [InlineData("fd00::/8", "http://[fd12::1]", true)]
    [InlineData("[fd12::1]", "http://[fd12::1]", true)]
    [InlineData("10.0.0.0/99", "http://10.1.2.3", false)]
    [InlineData(",, ,", "http://cache.example", false)]
    public void What_no_proxy_names_is_asked_directly(string noProxy, string address, bool isDirect)
    {
        foreach (var name in new[] { "no_proxy", "NO_PROXY" })
        {
            var proxies = HttpProxies.OfEnvironment(Variables($"http_proxy=http://proxy:3128;{name}={noProxy}"), out _);
            Assert.Equal(isDirect, proxies.For(new Uri(address)) is null);
        }
    }

    [Theory]
    [InlineData("ftp://me:s3cret@proxy:1")]
    [InlineData("http://me:s3cret@")]
    [InlineData("http://me:s3cret@proxy:99999")]
    [InlineData("http://me:s3cret@proxy/path")]
    public void A_variable_that_names_no_proxy_is_told_without_its_password(string value)
    {
        Assert.True(HttpProxies.OfEnvironment(Variables($"http_proxy={value}"), out var faults).IsEmpty);

        var (variable, message) = Assert.Single(faults);
        Assert.Equal("http_proxy", variable);
        Assert.DoesNotContain("s3cret", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_upstream_is_asked_through_the_proxy_once_for_each_request_and_its_password_stays_there()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await using var company = new FakeHttpProxy(proxy.Upstream().Url, "me:s3cret");
        proxy.Publish(output, "alice", "bob");
        proxy.Change = options => options with
        {
            Proxies = HttpProxies.Of(company.Url, Ours),
            Upstreams = [new("far", new Uri("http://cache.corp.example/"), 1)],
        };
        await proxy.StartAsync();

        Assert.Equal(output.Nar, await proxy.NarAsync(await proxy.NarInfoAsync(output)));
        Assert.All(company.Requests, head => Assert.StartsWith("GET http://cache.corp.example/", head, StringComparison.Ordinal));
        // no round trip for a 407
        Assert.Equal(company.Requests.Count,
            company.Requests.Count(head => head.Contains("Proxy-Authorization: Basic ", StringComparison.Ordinal)));
        Assert.DoesNotContain("s3cret", $"{proxy.Options}", StringComparison.Ordinal);
        Assert.DoesNotContain(proxy.Lines, line => line.Contains("s3cret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_https_peer_is_asked_by_connect_and_its_own_certificate_is_checked()
    {
        await using var server = await FakeUpstream.StartAsync();
        await using var company = new FakeHttpProxy(server.Url, "me:s3cret"); // speaks no TLS behind the tunnel
        using var http = LogTransport.Create(new Uri("https://log.corp.example"), null, HttpProxies.Of(company.Url, Ours));

        var failure = await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync("x"));
        Assert.Equal(HttpRequestError.SecureConnectionError, failure.HttpRequestError);
        Assert.IsType<AuthenticationException>(failure.InnerException);
        Assert.StartsWith("CONNECT log.corp.example:443 HTTP/1.1\r\n", company.Requests[^1], StringComparison.Ordinal);
        Assert.Contains("Proxy-Authorization: Basic bWU6czNjcmV0\r\n", company.Requests[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://cache.corp.example")]
    [InlineData("https://cache.corp.example")]
    public async Task A_proxy_that_refuses_us_or_is_not_there_is_told_as_the_proxys_failure(string address)
    {
        await using var server = await FakeUpstream.StartAsync();
        var company = new FakeHttpProxy(server.Url, "me:other");
        var url = company.Url;
        using var refused = LogTransport.Create(new Uri(address), null, HttpProxies.Of(url, Ours));
        var first = await Assert.ThrowsAsync<HttpRequestException>(() => refused.GetAsync("x"));
        await company.DisposeAsync();
        using var gone = LogTransport.Create(new Uri(address), null, HttpProxies.Of(url, Ours));
        var second = await Assert.ThrowsAsync<HttpRequestException>(() => gone.GetAsync("x"));

        Assert.Equal((HttpRequestError.ProxyTunnelError, HttpStatusCode.ProxyAuthenticationRequired),
            (first.HttpRequestError, first.StatusCode));
        Assert.Equal(HttpRequestError.ProxyTunnelError, second.HttpRequestError);
        Assert.Contains($"The HTTP proxy {url.GetLeftPart(UriPartial.Authority)} cannot be reached", second.Message,
            StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", $"{first}{second}", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://10.0.0.1/x")]
    [InlineData("http://intranet/x")]
    [InlineData("http://db.internal/x")]
    public async Task Through_a_proxy_an_upstream_does_not_lead_to_private_names(string target)
    {
        await using var server = await FakeUpstream.StartAsync();
        server.Intercept = context =>
        {
            context.Response.Redirect(target);
            return Task.FromResult(true);
        };
        await using var company = new FakeHttpProxy(server.Url);
        using var transport = new UpstreamTransport(new Uri("http://cache.example"), null, TimeProvider.System, null,
            HttpProxies.Of(company.Url, null));
        using var http = new HttpMessageInvoker(transport);
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://cache.example/x");

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => http.SendAsync(request, default));
        Assert.Single(company.Requests);
    }

    [Fact]
    public async Task A_redirect_to_this_machine_is_not_followed_past_the_proxy()
    {
        await using var server = await FakeUpstream.StartAsync();
        server.Intercept = context =>
        {
            context.Response.Redirect($"{server.Url}secret");
            return Task.FromResult(true);
        };
        await using var company = new FakeHttpProxy(server.Url);
        using var transport = new UpstreamTransport(new Uri("http://cache.example"), null, TimeProvider.System, null,
            HttpProxies.Of(company.Url, null));
        using var http = new HttpMessageInvoker(transport);
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://cache.example/x");

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => http.SendAsync(request, default));
        Assert.Single(server.Requests);
    }

    private static Func<string, string?> Variables(string text)
    {
        var variables = text.Split(';', StringSplitOptions.RemoveEmptyEntries)
            .Select(entry => entry.Split('=', 2)).ToDictionary(entry => entry[0], entry => entry[1]);
        return name => variables.GetValueOrDefault(name);
    }
}
