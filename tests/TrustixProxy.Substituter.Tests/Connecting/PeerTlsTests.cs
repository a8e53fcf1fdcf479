using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Certificates;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Logs.Client;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Connecting;

/// <summary>Peers with authorities of their own, and peers that demand a client certificate.</summary>
public sealed class PeerTlsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("trustix-peers-").FullName;
    private readonly TestAuthority _authority;

    public PeerTlsTests() => _authority = new TestAuthority(_folder);

    public void Dispose()
    {
        _authority.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_peer_is_trusted_by_its_own_authority_and_by_no_other()
    {
        using var other = new TestAuthority(_folder, "other");
        await using var server = await ServerAsync();

        Assert.Equal("hello nobody", await AskAsync(server, Tls(server)));
        Assert.Equal(UpstreamFailure.UntrustedCertificate, await FailAsync(server, null));
        Assert.Equal(UpstreamFailure.UntrustedCertificate, await FailAsync(server, Tls(server, authority: other.File)));
    }

    [Fact]
    public async Task A_server_of_another_name_or_with_a_clients_certificate_is_not_the_peer()
    {
        await using var named = await ServerAsync(_authority.Issue("elsewhere", names: names => names.AddDnsName("elsewhere.example")));
        await using var client = await ServerAsync(_authority.Issue("client", usage: TestAuthority.Client));

        Assert.Equal(UpstreamFailure.Tls, await FailAsync(named, Tls(named)));
        Assert.Equal(UpstreamFailure.Tls, await FailAsync(client, Tls(client)));
    }

    [Theory]
    [InlineData(SslProtocols.Tls12)]
    [InlineData(SslProtocols.Tls13)]
    public async Task A_peer_that_demands_a_client_certificate_is_shown_ours_and_refuses_us_without(SslProtocols protocol)
    {
        await using var server = await ServerAsync(demands: true, protocol: protocol);

        Assert.Equal("hello CN=us", await AskAsync(server, Tls(server, _authority.Issue("us"))));
        Assert.Equal(UpstreamFailure.ConnectionReset, await FailAsync(server, Tls(server))); // which this server does instead of an alert
    }

    [Fact]
    public async Task Ours_is_shown_to_the_peers_own_host_alone_and_its_authority_vouches_for_hosts_it_leads_to()
    {
        await using var elsewhere = await ServerAsync(demands: null);
        await using var server = await ServerAsync(demands: null, redirect: elsewhere.Urls.Single());

        Assert.Equal("hello nobody", await AskAsync(server, Tls(server, _authority.Issue("us"))));
    }

    [Fact]
    public async Task A_log_is_asked_with_both()
    {
        await using var server = await ServerAsync(demands: true);
        var url = new Uri(server.Urls.Single());
        using var log = LogTransport.Create(url, null, null, Tls(server, _authority.Issue("us")));
        using var stranger = LogTransport.Create(url, null);

        Assert.Equal("hello CN=us", await log.GetStringAsync(new Uri("x", UriKind.Relative)));
        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => stranger.GetStringAsync(new Uri("x", UriKind.Relative)));
        Assert.Equal(HttpRequestError.SecureConnectionError, refused.HttpRequestError);
    }

    [Fact]
    public async Task Behind_an_https_proxy_the_proxy_is_judged_by_this_machine_and_the_peer_by_its_authority()
    {
        await using var server = await ServerAsync();
        await using var proxy = await ServerAsync(); // of the peer's authority, which says nothing about proxies
        Assert.True(HttpProxies.TryReadAddress(proxy.Urls.Single(), out var address, out _));
        using var transport = new PeerTransport(HttpProxies.Of(address, null), TimeProvider.System)
        {
            Tls = Tls(server) with { Origin = new Uri("https://cache.example") },
        };
        using var client = new HttpClient(transport);

        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync(new Uri("https://cache.example/")));

        Assert.Equal(HttpRequestError.ProxyTunnelError, refused.HttpRequestError);
        Assert.IsType<AuthenticationException>(refused.GetBaseException());
    }

    [Fact]
    public void Settings_are_equal_when_the_files_hold_the_same()
    {
        var url = new Uri("https://cache.example");
        PeerTls Load((string File, string Key) own) => new(url, Read(own), Authorities(_authority.File));
        var first = _authority.Issue("us");
        var before = Load(first);

        Assert.Equal(before, Load(first));
        Assert.NotEqual(before, Load(_authority.Issue("us")));
    }

    private static TlsCertificate Read((string File, string Key) own)
    {
        Assert.True(TlsCertificate.TryLoad(own.File, own.Key, out var certificate, out var fault), fault);
        return certificate;
    }

    private static CertificateAuthorities Authorities(string file)
    {
        Assert.True(CertificateAuthorities.TryLoad(file, out var authorities, out var fault), fault);
        return authorities;
    }

    private PeerTls Tls(WebApplication server, (string File, string Key)? own = null, string? authority = null) =>
        new(new Uri(server.Urls.Single()), own is { } files ? Read(files) : null, Authorities(authority ?? _authority.File));

    private static async Task<string> AskAsync(WebApplication server, PeerTls? tls)
    {
        var url = new Uri(server.Urls.Single());
        using var http = new HttpMessageInvoker(new UpstreamTransport(url, null, TimeProvider.System, null, tls: tls));
        using var response = await http.SendAsync(new HttpRequestMessage(HttpMethod.Get, url), default);
        return await response.Content.ReadAsStringAsync();
    }

    private static async Task<UpstreamFailure> FailAsync(WebApplication server, PeerTls? tls) =>
        UpstreamFaultException.FaultOf(await Assert.ThrowsAnyAsync<Exception>(() => AskAsync(server, tls))).Kind;

    /// <summary>Starts a server that greets its clients by their certificates.</summary>
    /// <param name="own">Its certificate.</param>
    /// <param name="demands">Whether it demands a certificate; null: it asks for one.</param>
    /// <param name="protocol">The TLS version.</param>
    /// <param name="redirect">Where it leads; nowhere when null.</param>
    private async Task<WebApplication> ServerAsync((string File, string Key)? own = null, bool? demands = false,
        SslProtocols protocol = SslProtocols.None, string? redirect = null)
    {
        var context = Read(own ?? _authority.Issue($"server-{Guid.NewGuid():n}", usage: TestAuthority.Server)).Context;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
            listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
                {
                    ServerCertificateContext = context,
                    EnabledSslProtocols = protocol,
                    ClientCertificateRequired = demands is not false,
                    RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null || demands is not true,
                }),
            })));
        var app = builder.Build();
        app.Run(context =>
        {
            if (redirect is null)
            {
                return context.Response.WriteAsync($"hello {context.Connection.ClientCertificate?.Subject ?? "nobody"}");
            }

            context.Response.Redirect(redirect);
            return Task.CompletedTask;
        });
        await app.StartAsync();
        return app;
    }
}
