using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>Certificates in a configuration: of those whom we ask, and of our clients.</summary>
public sealed class TlsConfigurationTests : IDisposable
{
    private const string Key = "Zk9Jo2RIHTJzBpCkuXDpoKMCEWTfrNXyOI8zCcA5xYk=";

    private readonly Folder _folder = new();
    private readonly TestAuthority _authority;

    public TlsConfigurationTests() => _authority = new TestAuthority(_folder.Path);

    public void Dispose()
    {
        _authority.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("upstreams", "")]
    [InlineData("logs", """, "publicKey": "KEY" """)]
    [InlineData("caches", """, "publicKeys": ["x-1:KEY"] """)]
    public async Task Whoever_has_a_url_is_shown_a_certificate_and_has_an_authority(string list, string more)
    {
        var us = _authority.Issue("us");
        var expired = _authority.Issue("expired", until: TimeProvider.System.GetUtcNow().AddDays(-1));

        var (code, error) = await CheckAsync(list, "https://x.example", more, us.File, us.Key, _authority.File);
        var (late, warning) = await CheckAsync(list, "https://x.example", more, expired.File, expired.Key, null);

        Assert.True((code, late) is (0, 0), error + warning);
        Assert.DoesNotContain("client certificate", error, StringComparison.Ordinal);
        Assert.Contains($"{list}: 'x' is shown a client certificate that expired at ", warning, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_work_is_refused_with_key_value_and_remedy()
    {
        var (us, other) = (_authority.Issue("us"), _authority.Issue("other"));
        var open = _authority.Issue("open");
        File.SetUnixFileMode(open.Key, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        var encrypted = _folder.File("encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
        File.SetUnixFileMode(encrypted, UnixFileMode.UserRead);
        (string? Certificate, string? Key, string? Authority, string Url, string Fault)[] cases =
        [
            (us.File, null, null, "https://x", $"upstreams[0].clientKeyFile: is missing, and clientCertificateFile is '{us.File}'"),
            (null, us.Key, null, "https://x", $"upstreams[0].clientCertificateFile: is missing, and clientKeyFile is '{us.Key}'"),
            (us.File, other.Key, null, "https://x",
                $"upstreams[0].clientCertificateFile: is '{us.File}', which is not a usable certificate with the key '{other.Key}'"),
            (us.File, encrypted, null, "https://x", "the key its own and not encrypted"),
            (open.File, open.Key, null, "https://x", $"upstreams[0].clientKeyFile: is '{open.Key}', which other users can read: chmod 600"),
            (us.File, us.Key, null, "http://x", "has no TLS: give an https address, or remove the key."),
            (null, null, us.File, "https://x", $"upstreams[0].caFile: is '{us.File}', which has no root certificate"),
            (null, null, us.Key + "x", "https://x", "upstreams[0].caFile: is '"),
        ];

        foreach (var (certificate, key, authority, url, fault) in cases)
        {
            var (code, error) = await CheckAsync("upstreams", url, "", certificate, key, authority);
            Assert.Equal(2, code);
            Assert.Contains(fault, error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Clients_with_certificates_need_tls_an_authority_and_its_own_list()
    {
        var (file, key) = _authority.Issue("door");
        var tls = $$""", "listen": ["https://127.0.0.1:0"], "tls": { "certificateFile": "{{file}}", "keyFile": "{{key}}" }""";
        var authority = $"\"certificateAuthorityFile\": \"{_authority.File}\"";
        string List(string file) => $"\"revocationListFile\": \"{file}\"";
        using var other = new TestAuthority(_folder.Path, "other");
        var old = _authority.Revoke([], nextUpdate: TimeProvider.System.GetUtcNow().AddDays(-1));
        (string Clients, string More, int Code, string Said)[] cases =
        [
            (authority, tls, 0, ""),
            (authority, "", 2, $"clients.certificateAuthorityFile: is '{_authority.File}', and clients show certificates over TLS only"),
            (List(old), tls, 2, "certificateAuthorityFile is missing"),
            ($"{authority}, {List(other.Revoke([]))}", tls, 2, "its issuer 'CN=other' is none of the authorities"),
            ($"{authority}, {List(old)}", tls, 0, "clients.revocationListFile: a newer list was due at "),
        ];

        foreach (var (clients, more, expected, said) in cases)
        {
            var config = _folder.File("c.json", $$"""{ "stateDirectory": "{{_folder.Path}}/state", "clients": { {{clients}} }{{more}} }""");
            var (code, _, error) = await Cli.RunAsync(["check-config", "--config", config]);
            Assert.True(code == expected, error);
            Assert.Contains(said, error, StringComparison.Ordinal);
        }
    }

    private async Task<(int Code, string Error)> CheckAsync(
        string list, string url, string more, string? certificate, string? key, string? authority)
    {
        var keys = string.Concat(new[] { ("clientCertificateFile", certificate), ("clientKeyFile", key), ("caFile", authority) }
            .Where(entry => entry.Item2 is not null).Select(entry => $", \"{entry.Item1}\": \"{entry.Item2}\""));
        var config = _folder.File("c.json", $$"""
            { "stateDirectory": "{{_folder.Path}}/state",
              "{{list}}": [{ "name": "x", "url": "{{url}}"{{more.Replace("KEY", Key, StringComparison.Ordinal)}}{{keys}} }] }
            """);
        var (code, _, error) = await Cli.RunAsync(["check-config", "--config", config]);
        return (code, error);
    }
}
