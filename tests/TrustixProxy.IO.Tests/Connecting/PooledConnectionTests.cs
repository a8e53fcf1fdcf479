using System.Net;
using System.Net.Sockets;
using TrustixProxy.IO.Connecting;

namespace TrustixProxy.IO.Tests.Connecting;

public sealed class PooledConnectionTests
{
    [Fact]
    public async Task A_peer_that_is_gone_as_soon_as_it_accepted_is_one_that_cannot_be_reached_or_ends_the_connection()
    {
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.IPv6Loopback, 0));
        listener.Listen();
        using var stop = new CancellationTokenSource();
        var accepting = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                using var accepted = await listener.AcceptAsync(stop.Token);
                accepted.LingerState = new LingerOption(true, 0); // it resets the connection
            }
        });
        using var client = new HttpMessageInvoker(new PeerTransport(HttpProxies.FromEnvironment, TimeProvider.System));
        for (var i = 0; i < 300; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"http://[::1]:{((IPEndPoint)listener.LocalEndPoint!).Port}/");

            var failure = await Assert.ThrowsAnyAsync<Exception>(() => client.SendAsync(request, CancellationToken.None));

            Assert.True(failure is HttpRequestException or IOException, failure.ToString());
        }

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => accepting);
    }
}
