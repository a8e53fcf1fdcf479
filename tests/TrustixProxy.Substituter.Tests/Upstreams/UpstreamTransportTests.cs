using System.Net;
using System.Net.Sockets;
using TrustixProxy.Substituter.Upstreams;

namespace TrustixProxy.Substituter.Tests.Upstreams;

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
