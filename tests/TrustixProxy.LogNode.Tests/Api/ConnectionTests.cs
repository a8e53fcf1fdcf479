using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using TrustixProxy.LogNode.Api;
using TrustixProxy.Testing;

namespace TrustixProxy.LogNode.Tests.Api;

public sealed class ConnectionTests
{
    [Theory]
    [InlineData("")]
    [InlineData("PR")] // of the preface of HTTP/2
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n")]
    public async Task A_connection_that_does_not_go_on_is_closed_in_time(string said)
    {
        await using var node =
            await new TestLogNode { Change = options => options with { HeaderTimeout = TimeSpan.FromSeconds(1) } }.StartAsync();
        using var socket = await ConnectAsync(node.PublicUrl);
        await socket.SendAsync(System.Text.Encoding.ASCII.GetBytes(said));

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var buffer = new byte[1000];
        int read;
        do
        {
            read = await ReceiveAsync(socket, buffer, patience.Token); // an answer that says so may come first
        }
        while (read > 0);

        Assert.Equal(0, read);
    }

    [Fact]
    public async Task One_client_has_no_more_connections_than_it_may_and_another_is_served()
    {
        await using var node = await new TestLogNode { Change = options => options with { ConnectionsPerClient = 2 } }.StartAsync();
        using var first = await ConnectAsync(node.PublicUrl);
        using var second = await ConnectAsync(node.PublicUrl);
        using var third = await ConnectAsync(node.PublicUrl);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));

        Assert.Equal(0, await ReceiveAsync(third, new byte[1], patience.Token));
        using var other = await ConnectAsync(node.PublicUrl, "127.0.0.2");
        await other.SendAsync("GET /x HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
        Assert.True(await ReceiveAsync(other, new byte[100], patience.Token) > 0);
    }

    [Fact]
    public void A_call_takes_as_many_tokens_as_it_has_items()
    {
        using var rate = new RequestRate();
        var (asker, other) = (new DefaultHttpContext(), new DefaultHttpContext());
        (asker.Connection.RemoteIpAddress, other.Connection.RemoteIpAddress) = (IPAddress.Parse("192.0.2.1"), IPAddress.Parse("192.0.2.2"));

        var calls = 0;
        while (calls < 1000 && rate.TryTake(asker, 100))
        {
            calls++;
        }

        Assert.InRange(calls, 2 * RequestRate.PerSecond / 100, (2 * RequestRate.PerSecond / 100) + 40); // tokens come back while this runs
        Assert.True(rate.TryTake(other, 100));
    }

    private static async Task<Socket> ConnectAsync(Uri url, string from = "127.0.0.1")
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        await socket.ConnectAsync(url.Host, url.Port);
        return socket;
    }

    private static async Task<int> ReceiveAsync(Socket socket, byte[] buffer, CancellationToken cancellation)
    {
        try
        {
            return await socket.ReceiveAsync(buffer, cancellation);
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.ConnectionReset)
        {
            return 0;
        }
    }
}
