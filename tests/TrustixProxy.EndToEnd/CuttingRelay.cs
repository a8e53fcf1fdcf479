using System.Net;
using System.Net.Sockets;

namespace TrustixProxy.EndToEnd;

/// <summary>Passes TCP connections on to a server, and once cuts the one through which a given number of bytes has come.</summary>
internal sealed class CuttingRelay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Uri _target;
    private readonly long _cutAt;
    private int _cuts;

    private CuttingRelay(Uri target, long cutAt) => (_target, _cutAt) = (target, cutAt);

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>How often it has cut.</summary>
    public int Cuts => _cuts;

    public static CuttingRelay Start(Uri target, long cutAt)
    {
        var relay = new CuttingRelay(target, cutAt);
        relay._listener.Start();
        _ = relay.AcceptAsync();
        return relay;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            _ = RelayAsync(await _listener.AcceptSocketAsync(_stop.Token));
        }
    }

    private async Task RelayAsync(Socket client)
    {
        using var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await server.ConnectAsync(_target.Host, _target.Port);
        await Task.WhenAny(PumpAsync(client, server, long.MaxValue), PumpAsync(server, client, _cutAt));
        client.Close(0);
    }

    private async Task PumpAsync(Socket from, Socket to, long limit)
    {
        var buffer = new byte[64 << 10];
        var passed = 0L;
        try
        {
            while (await from.ReceiveAsync(buffer, _stop.Token) is var read and > 0)
            {
                passed += read;
                await to.SendAsync(buffer.AsMemory(0, read), _stop.Token);
                if (passed > limit && Interlocked.CompareExchange(ref _cuts, 1, 0) is 0)
                {
                    return;
                }
            }
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One side has gone.
        }
    }
}
