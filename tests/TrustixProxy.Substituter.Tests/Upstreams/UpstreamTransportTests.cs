using System.Net;
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

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("127.255.255.254", true)]
    [InlineData("0.0.0.0", true)]
    [InlineData("10.1.2.3", true)]
    [InlineData("172.16.0.1", true)]
    [InlineData("172.31.255.255", true)]
    [InlineData("172.32.0.1", false)]
    [InlineData("192.168.1.1", true)]
    [InlineData("169.254.169.254", true)]
    [InlineData("100.64.0.1", true)]
    [InlineData("100.128.0.1", false)]
    [InlineData("198.18.0.1", true)]
    [InlineData("224.0.0.1", true)]
    [InlineData("255.255.255.255", true)]
    [InlineData("8.8.8.8", false)]
    [InlineData("::1", true)]
    [InlineData("::", true)]
    [InlineData("fe80::1", true)]
    [InlineData("fd00::1", true)]
    [InlineData("ff02::1", true)]
    [InlineData("::ffff:127.0.0.1", true)]
    [InlineData("::ffff:8.8.8.8", false)]
    [InlineData("64:ff9b::7f00:1", true)]
    [InlineData("2606:4700::1111", false)]
    public void Addresses_that_the_internet_does_not_lead_to_are_known(string address, bool isPrivate) =>
        Assert.Equal(isPrivate, UpstreamTransport.IsPrivate(IPAddress.Parse(address)));
}
