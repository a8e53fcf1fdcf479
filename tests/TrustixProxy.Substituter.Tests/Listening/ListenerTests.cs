using System.Net;
using System.Net.Sockets;
using System.Text;
using TrustixProxy.IO.Certificates;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Listening;

public sealed class ListenerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("trustix-listen-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Over_TLS_both_versions_of_HTTP_are_spoken(string version)
    {
        var certificate = TestCertificate.Write(_folder, "proxy.example");
        await using var proxy = await StartAsync("https://127.0.0.1:0", certificate);
        using var client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = { TargetHost = "proxy.example",
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown!.Subject is "CN=proxy.example" }
        });

        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, "nix-cache-info"))
        {
            Version = new Version(version),
            VersionPolicy = HttpVersionPolicy.RequestVersionExact
        };
        using var response = await client.SendAsync(request);

        Assert.Equal((HttpStatusCode.OK, new Version(version)), (response.StatusCode, response.Version));
        Assert.StartsWith("StoreDir: ", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Certificates_above_the_own_one_are_shown_with_it()
    {
        var certificate = TestCertificate.Write(_folder, "proxy.example", isIssued: true);
        await using var proxy = await StartAsync("https://127.0.0.1:0", certificate);
        var shown = new List<string>();
        using var client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions =
            {
                RemoteCertificateValidationCallback = (_, _, chain, _) =>
                {
                    shown.AddRange(chain!.ChainElements.Select(element => element.Certificate.Subject));
                    return true;
                },
            },
        });

        await client.GetStringAsync(new Uri(proxy.Url, "nix-cache-info"));

        Assert.Equal(["CN=proxy.example", "CN=Above"], shown);
    }

    [Fact]
    public async Task A_unix_socket_is_listened_at_also_where_a_dead_process_has_left_one()
    {
        var path = Path.Combine(_folder, "s");
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(path + ".begun"));
            File.Move(path + ".begun", path); // else it goes away with the socket
        }

        await using var proxy = await StartAsync($"unix:{path}", null);
        var answer = await AskAsync(path, "GET /nix-cache-info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 200 OK", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_no_socket_stays_when_an_address_names_it()
    {
        var path = Path.Combine(_folder, "precious");
        await File.WriteAllTextAsync(path, "precious");

        await Assert.ThrowsAnyAsync<IOException>(() => StartAsync($"unix:{path}", null));

        Assert.Equal("precious", await File.ReadAllTextAsync(path));
    }

    [Fact]
    public async Task A_file_that_is_no_socket_stays_where_the_control_socket_would_be()
    {
        await using var proxy = new TestProxy();
        var path = Path.Combine(proxy.StateDirectory, "control.sock");
        await File.WriteAllTextAsync(path, "precious");

        await proxy.StartAsync();

        Assert.Equal("precious", await File.ReadAllTextAsync(path));
    }

    [Fact]
    public void What_makes_no_certificate_is_refused_with_the_reason()
    {
        var (file, key) = TestCertificate.Write(_folder, "a.example");
        var (_, other) = TestCertificate.Write(_folder, "b.example");
        File.WriteAllText(Path.Combine(_folder, "nonsense"), "nonsense");

        Assert.True(TlsCertificate.TryLoad(file, key, out _, out _));
        foreach (var (badFile, badKey) in new[] { (file, other), (file, Path.Combine(_folder, "nonsense")),
            (Path.Combine(_folder, "nonsense"), key), (file, Path.Combine(_folder, "nowhere")) })
        {
            Assert.False(TlsCertificate.TryLoad(badFile, badKey, out _, out var fault));
            Assert.StartsWith($"is '{badFile}', which is not a usable certificate with the key '{badKey}': "
                + $"", fault, StringComparison.Ordinal);
        }
    }

    private static async Task<TestProxy> StartAsync(string listen, (string File, string Key)? certificate)
    {
        TlsCertificate? loaded = null;
        Assert.True(certificate is null || TlsCertificate.TryLoad(certificate.Value.File, certificate.Value.Key, out loaded, out _));
        var proxy = new TestProxy
        {
            Change = options =>
            options with { FrontDoor = options.FrontDoor with { Listen = [listen], Certificate = loaded } }
        };
        return await proxy.StartAsync();
    }

    private static async Task<string> AskAsync(string path, string request)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        await socket.SendAsync(Encoding.ASCII.GetBytes(request));
        await using var stream = new NetworkStream(socket);
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }
}
