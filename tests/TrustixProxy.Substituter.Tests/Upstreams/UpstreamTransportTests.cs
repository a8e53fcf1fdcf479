using TrustixProxy.Substituter.Upstreams;

namespace TrustixProxy.Substituter.Tests.Upstreams;

public sealed class UpstreamTransportTests
{
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
