using System.Net;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Tests.Upstreams;

/// <summary>Which addresses an upstream may lead to.</summary>
public sealed class AddressScopeTests
{
    [Theory]
    [InlineData("8.8.8.8", AddressScope.Public)]
    [InlineData("192.0.2.10", AddressScope.Public)]
    [InlineData("172.32.0.1", AddressScope.Public)]
    [InlineData("100.128.0.1", AddressScope.Public)]
    [InlineData("2606:4700::1111", AddressScope.Public)]
    [InlineData("2001:db8::dead", AddressScope.Public)]
    [InlineData("::ffff:8.8.8.8", AddressScope.Public)]
    [InlineData("64:ff9b::808:808", AddressScope.Public)]
    [InlineData("2002:808:808::1", AddressScope.Public)]
    [InlineData("10.1.2.3", AddressScope.Private)]
    [InlineData("172.16.0.1", AddressScope.Private)]
    [InlineData("172.31.255.255", AddressScope.Private)]
    [InlineData("192.168.1.1", AddressScope.Private)]
    [InlineData("100.64.0.1", AddressScope.Private)]
    [InlineData("198.18.0.1", AddressScope.Private)]
    [InlineData("fd00::1", AddressScope.Private)]
    [InlineData("fec0::1", AddressScope.Private)]
    [InlineData("::ffff:10.0.0.1", AddressScope.Private)]
    [InlineData("::10.0.0.1", AddressScope.Private)]
    [InlineData("64:ff9b::a00:1", AddressScope.Private)]
    [InlineData("64:ff9b:1::1", AddressScope.Private)]
    [InlineData("2002:c0a8:101::1", AddressScope.Private)]
    [InlineData("2001:0:1::f5ff:fffe", AddressScope.Private)]
    [InlineData("2606:4700::200:5efe:a00:1", AddressScope.Private)]
    [InlineData("127.0.0.1", AddressScope.Loopback)]
    [InlineData("127.255.255.254", AddressScope.Loopback)]
    [InlineData("0.0.0.0", AddressScope.Loopback)]
    [InlineData("::1", AddressScope.Loopback)]
    [InlineData("::", AddressScope.Loopback)]
    [InlineData("::ffff:127.0.0.1", AddressScope.Loopback)]
    [InlineData("64:ff9b::7f00:1", AddressScope.Loopback)]
    [InlineData("169.254.169.254", AddressScope.LinkLocal)]
    [InlineData("fe80::1", AddressScope.LinkLocal)]
    [InlineData("::ffff:169.254.169.254", AddressScope.LinkLocal)]
    [InlineData("64:ff9b::a9fe:a9fe", AddressScope.LinkLocal)]
    [InlineData("2002:a9fe:a9fe::", AddressScope.LinkLocal)]
    [InlineData("0.1.2.3", AddressScope.None)]
    [InlineData("224.0.0.1", AddressScope.None)]
    [InlineData("255.255.255.255", AddressScope.None)]
    [InlineData("ff02::1", AddressScope.None)]
    public void The_scope_of_an_address_is_known_in_every_form(string address, AddressScope scope) =>
        Assert.Equal(scope, AddressScopes.Of(IPAddress.Parse(address)));

    [Theory]
    [InlineData("http://cache.corp", "10.0.0.5", "10.9.9.9", true)]
    [InlineData("http://cache.corp", "10.0.0.5", "fd00::1", true)]
    [InlineData("http://cache.corp", "10.0.0.5", "8.8.8.8", true)]
    [InlineData("http://cache.corp", "10.0.0.5", "127.0.0.1", false)]
    [InlineData("http://cache.corp", "10.0.0.5", "169.254.169.254", false)]
    [InlineData("http://cache.corp", "127.0.0.1", "127.0.0.1", true)]
    [InlineData("http://cache.corp", "127.0.0.1", "10.0.0.1", false)]
    [InlineData("http://cache.corp", "8.8.8.8", "10.0.0.1", false)]
    [InlineData("http://cache.corp", "8.8.8.8", "127.0.0.1", false)]
    [InlineData("http://cache.corp", "8.8.8.8", "::ffff:10.0.0.1", false)]
    [InlineData("http://10.0.0.5", "10.0.0.5", "192.168.1.1", true)]
    [InlineData("http://10.0.0.5", "10.0.0.5", "127.0.0.1", false)]
    [InlineData("http://127.0.0.1", "127.0.0.1", "10.0.0.5", false)]
    [InlineData("http://169.254.1.5", "169.254.1.5", "169.254.169.254", false)]
    public void An_upstream_leads_only_into_the_networks_that_its_own_host_is_in(string origin, string own, string elsewhere, bool may)
    {
        var (url, networks) = (new Uri(origin), new ReachableNetworks(new Uri(origin)));
        Assert.Equal([IPAddress.Parse(own)], networks.Admit(new DnsEndPoint(url.Host, 80), [IPAddress.Parse(own)]));

        if (may)
        {
            Assert.Equal([IPAddress.Parse(elsewhere)], networks.Admit(new DnsEndPoint("elsewhere.test", 80), [IPAddress.Parse(elsewhere)]));
        }
        else
        {
            Assert.ThrowsAny<HttpRequestException>(
                () => networks.Admit(new DnsEndPoint("elsewhere.test", 80), [IPAddress.Parse(elsewhere)]));
        }
    }

    [Theory]
    [InlineData("169.254.169.254")]
    [InlineData("fe80::1")]
    [InlineData("::ffff:169.254.169.254")]
    [InlineData("224.0.0.1")]
    public void The_first_dns_answer_of_an_upstream_opens_no_link_local_address(string answer) =>
        Assert.ThrowsAny<HttpRequestException>(() =>
            new ReachableNetworks(new Uri("http://cache.corp")).Admit(new DnsEndPoint("cache.corp", 80), [IPAddress.Parse(answer)]));

    [Fact]
    public void A_later_dns_answer_widens_nothing()
    {
        var (networks, target) = (new ReachableNetworks(new Uri("http://cache.corp")), new DnsEndPoint("cache.corp", 80));
        networks.Admit(target, [IPAddress.Parse("8.8.8.8")]);

        Assert.ThrowsAny<HttpRequestException>(() => networks.Admit(target, [IPAddress.Parse("10.0.0.1"), IPAddress.Loopback]));
        Assert.Equal([IPAddress.Parse("1.1.1.1")], networks.Admit(target, [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("1.1.1.1")]));
    }

    [Theory]
    [InlineData("http://cache.example", "http://cache.example/x", true)]
    [InlineData("http://cache.example", "https://cdn.example/x", true)]
    [InlineData("http://cache.example", "http://8.8.8.8/x", true)]
    [InlineData("http://cache.example", "http://10.0.0.1/x", false)]
    [InlineData("http://cache.example", "http://167772161/x", false)]
    [InlineData("http://cache.example", "http://0xa.1/x", false)]
    [InlineData("http://cache.example", "http://[fd00::1]/x", false)]
    [InlineData("http://cache.example", "http://[::ffff:10.0.0.1]/x", false)]
    [InlineData("http://cache.example", "http://169.254.169.254/latest", false)]
    [InlineData("http://cache.example", "http://metadata/x", false)]
    [InlineData("http://cache.example", "http://metadata.google.internal/x", false)]
    [InlineData("http://cache.example", "http://PRINTER.local./x", false)]
    [InlineData("http://cache.example", "http://localhost/x", false)]
    [InlineData("http://cache.internal", "http://other.internal/x", true)]
    [InlineData("http://10.0.0.1", "http://10.0.0.2/x", true)]
    [InlineData("http://10.0.0.1", "http://169.254.169.254/x", false)]
    [InlineData("http://cache", "http://cache/x", true)]
    public void Through_a_proxy_only_an_upstream_of_a_private_network_leads_to_one(string origin, string address, bool may) =>
        Assert.Equal(may, new ReachableNetworks(new Uri(origin)).MayAskThroughProxy(new Uri(address)));
}
