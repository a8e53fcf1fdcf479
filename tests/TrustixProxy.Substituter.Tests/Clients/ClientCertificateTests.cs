using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using TrustixProxy.IO.Certificates;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Clients;

/// <summary>Clients that show TLS certificates at the proxy's own door.</summary>
public sealed class ClientCertificateTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("trustix-clients-").FullName;
    private readonly TestAuthority _authority;

    public ClientCertificateTests() => _authority = new TestAuthority(_folder);

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    public void Dispose()
    {
        _authority.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Who_shows_a_certificate_of_the_authority_is_let_in(string version)
    {
        await using var proxy = await StartAsync(Door());

        var (status, _) = await ShowAsync(proxy, _authority.Issue("alice", usage: TestAuthority.Client), version);

        Assert.Equal(HttpStatusCode.OK, status);
    }

    [Fact]
    public async Task Who_shows_none_is_told_what_is_missing()
    {
        await using var proxy = await StartAsync(Door());

        var (status, text) = await ShowAsync(proxy, null);

        Assert.Equal(HttpStatusCode.Forbidden, status);
        Assert.Contains("requires a client certificate", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_that_does_not_count_is_refused_with_the_reason()
    {
        using var foreign = new TestAuthority(_folder, "other");
        using var twin = new TestAuthority(Directory.CreateDirectory(Path.Combine(_folder, "twin")).FullName); // the same name
        var (revoked, again) = (_authority.Issue("revoked"), _authority.Issue("again"));
        _authority.Revoke(["revoked"]);
        await using var proxy = await StartAsync(Door(_authority.ListFile));
        (string Reason, (string, string) Shown)[] cases =
        [
            ("the client certificate 'expired' expired at 20", _authority.Issue("expired", until: Now.AddDays(-1))),
            ("the client certificate 'foreign' is of an authority that this cache does not accept", foreign.Issue("foreign")),
            ("the client certificate 'twin' is", twin.Issue("twin")),
            ("the client certificate 'revoked' was revoked by its authority", revoked),
            ("the client certificate 'server' is not for clients", _authority.Issue("server", usage: TestAuthority.Server)),
            ("names nobody", _authority.Issue("nobody", subject: "O=x", names: names => names.AddIpAddress(IPAddress.Loopback))),
        ];

        foreach (var (reason, shown) in cases)
        {
            var (status, text) = await ShowAsync(proxy, shown);
            Assert.Equal(HttpStatusCode.Forbidden, status);
            Assert.Contains(reason, text, StringComparison.Ordinal);
        }

        Assert.Equal(HttpStatusCode.OK, (await ShowAsync(proxy, again)).Status);
    }

    [Fact]
    public async Task A_connection_is_judged_again_when_files_change_and_when_the_certificate_expires()
    {
        await using var proxy = await StartAsync(Door());
        using var alice = Connect(_authority.Issue("alice", until: Now.AddSeconds(8)));
        using var bob = Connect(_authority.Issue("bob"));

        var (before, other) = (await AskAsync(proxy, alice), await AskAsync(proxy, bob));
        _authority.Revoke(["bob"], isDer: true);
        Assert.Empty(await proxy.ReloadAsync(options => options with { FrontDoor = Door(_authority.ListFile)(options.FrontDoor) }));
        var (still, revoked) = (await AskAsync(proxy, alice), await AskAsync(proxy, bob));
        var expired = still;
        await Eventually.UntilAsync(async () => (expired = await AskAsync(proxy, alice)).Status is not HttpStatusCode.OK, seconds: 20);

        Assert.All([before, other, still], answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.Contains("'bob' was revoked", revoked.Text, StringComparison.Ordinal);
        Assert.Contains("'alice' expired", expired.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("CN=alice,O=x", "alice")]
    [InlineData("O=x", "alice.example")]
    public async Task Its_name_is_the_common_name_else_the_first_other_and_limits_are_by_name(string subject, string name)
    {
        var credentials = new ClientCredentials();
        credentials.TryAdd(ClientScheme.Basic, name, "secret");
        await using var proxy = await StartAsync(options => Door()(options) with
        {
            Credentials = credentials,
            EachClient = new LoadLimits(RequestsPerSecond: 1, Waiting: 0),
        });
        using var shown = Connect(_authority.Issue("file", subject, names: names => names.AddDnsName("alice.example")));
        using var told = Connect(null);
        told.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
            "Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{name}:secret")));
        using var other = Connect(_authority.Issue("bob"));

        var first = await AskAsync(proxy, shown);
        var statuses = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => AskAsync(proxy, told)));
        var apart = await AskAsync(proxy, other);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (first.Status, apart.Status));
        Assert.Contains(statuses, answer => answer.Status is HttpStatusCode.ServiceUnavailable);
    }

    [Fact]
    public async Task With_passwords_too_either_lets_in_and_neither_is_challenged()
    {
        var credentials = new ClientCredentials();
        credentials.TryAdd(ClientScheme.Bearer, "bob", "token");
        await using var proxy = await StartAsync(options => Door()(options) with { Credentials = credentials });
        using var bob = Connect(null);
        bob.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "token");

        Assert.Equal(HttpStatusCode.OK, (await AskAsync(proxy, bob)).Status);
        Assert.Equal(HttpStatusCode.OK, (await ShowAsync(proxy, _authority.Issue("alice"))).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await ShowAsync(proxy, null)).Status);
    }

    [Fact]
    public void A_list_that_another_has_signed_or_that_is_none_is_refused()
    {
        using var other = new TestAuthority(_folder, "other");
        using var twin = new TestAuthority(Directory.CreateDirectory(Path.Combine(_folder, "twin")).FullName);
        Assert.True(CertificateAuthorities.TryLoad(_authority.File, out var authorities, out _));
        var damaged = Path.Combine(_folder, "damaged.crl");
        File.WriteAllBytes(damaged, File.ReadAllBytes(_authority.Revoke([], isDer: true))[..^20]);

        foreach (var (file, expected) in new[]
        {
            (other.Revoke([]), "its issuer 'CN=other' is none of the authorities"),
            (twin.Revoke([]), "is not by 'CN=ca'"),
            (damaged, "not a usable revocation list"),
            (_authority.File, "holds no revocation list (CRL)"),
            (Path.Combine(_folder, "missing"), "not a usable revocation list"),
        })
        {
            Assert.False(RevocationList.TryLoad(file, authorities, out _, out var fault));
            Assert.Contains(expected, fault, StringComparison.Ordinal);
        }
    }

    private Func<FrontDoorOptions, FrontDoorOptions> Door(string? list = null)
    {
        var (file, key) = _authority.Issue("localhost", usage: TestAuthority.Server);
        Assert.True(TlsCertificate.TryLoad(file, key, out var certificate, out var fault), fault);
        Assert.True(CertificateAuthorities.TryLoad(_authority.File, out var authorities, out fault), fault);
        IReadOnlyList<RevocationList> lists = [];
        Assert.True(list is null || RevocationList.TryLoad(list, authorities, out lists, out fault), fault);
        return options => options with
        {
            Listen = ["https://127.0.0.1:0"],
            Certificate = certificate,
            ClientCertificates = new ClientCertificates(authorities, [.. lists]),
        };
    }

    private static Task<TestProxy> StartAsync(Func<FrontDoorOptions, FrontDoorOptions> door) => new TestProxy
    {
        Change = options => options with { FrontDoor = door(options.FrontDoor) },
    }.StartAsync();

    private HttpClient Connect((string File, string Key)? shown)
    {
        var sockets = new SocketsHttpHandler();
        Assert.True(CertificateAuthorities.TryLoad(_authority.File, out var authorities, out _));
        sockets.SslOptions.CertificateChainPolicy = authorities.ToPolicy(CertificateAuthorities.ServerUsage);
        if (shown is { } own)
        {
            using var pem = X509Certificate2.CreateFromPemFile(own.File, own.Key);
            sockets.SslOptions.ClientCertificateContext = SslStreamCertificateContext.Create(
                X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null), null, offline: true);
        }

        return new HttpClient(sockets);
    }

    private async Task<(HttpStatusCode Status, string Text)> ShowAsync(
        TestProxy proxy, (string File, string Key)? shown, string version = "1.1")
    {
        using var client = Connect(shown);
        return await AskAsync(proxy, client, version);
    }

    private static async Task<(HttpStatusCode Status, string Text)> AskAsync(TestProxy proxy, HttpClient client, string version = "1.1")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, "nix-cache-info"))
        {
            Version = new Version(version),
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using var response = await client.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}
