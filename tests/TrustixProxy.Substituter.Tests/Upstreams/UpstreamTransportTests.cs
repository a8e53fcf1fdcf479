using Microsoft.AspNetCore.Http;
using TrustixProxy.Substituter.Upstreams;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Upstreams;

public sealed class UpstreamTransportTests
{
    [Fact]
    public async Task Trailers_of_an_upstream_go_no_further()
    {
        await using var server = await FakeUpstream.StartAsync();
        server.Intercept = async context =>
        {
            context.Response.Headers["X-Kept"] = "kept";
            context.Response.DeclareTrailer("X-Evil");
            await context.Response.WriteAsync("body");
            context.Response.AppendTrailer("X-Evil", "evil");
            return true;
        };
        using var transport = new UpstreamTransport(server.Url, null, TimeProvider.System, null);
        using var http = new HttpMessageInvoker(transport);
        using var request = new HttpRequestMessage(HttpMethod.Get, server.Url);
        using var response = await http.SendAsync(request, default);

        Assert.Equal(("body", "kept"), (await response.Content.ReadAsStringAsync(), response.Headers.GetValues("X-Kept").Single()));
        Assert.Empty(response.TrailingHeaders);
        Assert.Empty(response.Headers.Trailer);
    }

    [Theory]
    [InlineData("http://a", "http://b", true)]
    [InlineData("http://a", "https://b", true)]
    [InlineData("https://a", "https://b", true)]
    [InlineData("https://a", "http://a", false)]
    [InlineData("http://a", "file:///etc/passwd", false)]
    [InlineData("https://a", "ftp://a/x", false)]
    [InlineData("https://a", "gopher://a/x", false)]
    public void Only_http_and_https_are_followed_and_never_from_https_to_http(string from, string to, bool may) =>
        Assert.Equal(may, UpstreamTransport.MayLead(new Uri(from), new Uri(to)));
}
