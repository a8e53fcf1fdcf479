using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Testing;

namespace TrustixProxy.Nars.Tests.Upstreams;

public sealed class UpstreamTransportTests
{
    [Fact]
    public async Task Trailers_of_an_upstream_go_no_further()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var url = new Uri($"http://{server.LocalEndpoint}");
        var answering = AnswerAsync(server);
        using var transport = new UpstreamTransport(url, null, TimeProvider.System, null);
        using var http = new HttpMessageInvoker(transport);
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        using var response = await http.SendAsync(request, default);

        Assert.Equal(("body", "kept"), (await response.Content.ReadAsStringAsync(), response.Headers.GetValues("X-Kept").Single()));
        Assert.Empty(response.TrailingHeaders);
        Assert.Empty(response.Headers.Trailer);
        transport.Dispose();
        await answering;
    }

    [Fact]
    public async Task Trailers_of_an_http2_upstream_go_no_further()
    {
        using var folder = new TestFolder();
        var (file, key) = TestCertificate.Write(folder.Path, "localhost");
        using var certificate = X509Certificate2.CreateFromPemFile(file, key);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(certificate);
        }));
        await using var app = builder.Build();
        app.Run(async context =>
        {
            context.Response.DeclareTrailer("X-Evil");
            await context.Response.WriteAsync("body");
            context.Response.AppendTrailer("X-Evil", "evil");
        });
        await app.StartAsync();
        using var network = new SocketsHttpHandler();
        network.SslOptions.RemoteCertificateValidationCallback = (_, shown, _, _) =>
            shown?.GetCertHashString() == certificate.GetCertHashString();
        var url = new Uri(app.Urls.Single());
        using var http = new HttpMessageInvoker(new UpstreamTransport(url, null, TimeProvider.System, network));
        using var request = new HttpRequestMessage(
            HttpMethod.Get, url)
        { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionOrLower };

        using var response = await http.SendAsync(request, default);

        Assert.Equal((HttpVersion.Version20, "body"), (response.Version, await response.Content.ReadAsStringAsync()));
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

    private static async Task AnswerAsync(TcpListener server)
    {
        using var client = await server.AcceptTcpClientAsync();
        var stream = client.GetStream();
        await stream.ReadExactlyAsync(new byte[16]);
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nX-Kept: kept\r\nTrailer: X-Evil\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray());
        await stream.WriteAsync("4\r\nbody\r\n0\r\nX-Evil: evil\r\n\r\n"u8.ToArray());
        await stream.CopyToAsync(Stream.Null); // until the transport is disposed
    }
}
