using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TrustixProxy.Testing;

/// <summary>An HTTP proxy that leads wherever a host is asked for to one server of the test's; it keeps what it was asked, headers and
/// all.</summary>
public sealed class FakeHttpProxy : IAsyncDisposable
{
    private static readonly byte[] Refusal =
        Encoding.ASCII.GetBytes(
            "HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Uri _server;
    private readonly string? _authorization;
    private readonly Task _accepting;

    /// <param name="server">Where it leads.</param>
    /// <param name="userAndPassword">Who may ask; everyone when null.</param>
    public FakeHttpProxy(Uri server, string? userAndPassword = null)
    {
        (_server, _authorization) = (server, userAndPassword is null ? null
            : $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes(userAndPassword))}");
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Url => new($"http://{_listener.LocalEndpoint}");

    /// <summary>The heads of all requests.</summary>
    public IReadOnlyList<string> Requests => [.. _requests];

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stopping.Token));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var owned = client;
        using var server = new TcpClient();
        try
        {
            var inward = client.GetStream();
            var head = await ReadHeadAsync(inward);
            _requests.Enqueue(head);
            if (_authorization is not null
                && !head.Contains($"Proxy-Authorization: {_authorization}\r\n", StringComparison.OrdinalIgnoreCase))
            {
                await inward.WriteAsync(Refusal, _stopping.Token);
                return;
            }

            await server.ConnectAsync(_server.Host, _server.Port, _stopping.Token);
            var outward = server.GetStream();
            if (head.StartsWith("CONNECT ", StringComparison.Ordinal))
            {
                await inward.WriteAsync("HTTP/1.1 200 Connected\r\n\r\n"u8.ToArray(), _stopping.Token);
            }
            else
            {
                var words = head.Split(' ', 3);
                await outward.WriteAsync(Encoding.ASCII.GetBytes($"{words[0]} {new Uri(words[1]).PathAndQuery} "
                    + $"{words[2].Replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n", StringComparison.Ordinal)}"), _stopping.Token);
            }

            await Task.WhenAny(inward.CopyToAsync(outward, _stopping.Token), outward.CopyToAsync(inward, _stopping.Token));
        }
        catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException)
        {
            // One of the two is gone.
        }
    }

    private async Task<string> ReadHeadAsync(NetworkStream stream)
    {
        var (head, one) = (new StringBuilder(), new byte[1]);
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(one, _stopping.Token) is 1)
        {
            head.Append((char)one[0]);
        }

        return head.ToString();
    }
}
