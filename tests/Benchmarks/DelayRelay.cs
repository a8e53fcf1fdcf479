using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace TrustixProxy.Benchmarks;

/// <summary>A TCP relay on loopback that makes a round trip to what is behind it last as long as it is told: half of it each way, and a
/// whole one for a new connection. Counts what passes.</summary>
internal sealed class DelayRelay : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly IPEndPoint _target;
    private readonly TimeSpan _roundTrip;
    private long _bytes;

    public DelayRelay(Uri target, TimeSpan roundTrip)
    {
        (_target, _roundTrip) = (new IPEndPoint(IPAddress.Loopback, target.Port), roundTrip);
        _listener.Start(512);
        _ = AcceptAsync();
    }

    public Uri Url => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    /// <summary>Bytes in both directions until now, headers of HTTP included, those of TCP not.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    public void Dispose()
    {
        _end.Cancel();
        _listener.Dispose();
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_end.Token));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var near = client;
        using var far = new TcpClient { NoDelay = true };
        near.NoDelay = true;
        try
        {
            await Task.Delay(_roundTrip, _end.Token);
            await far.ConnectAsync(_target, _end.Token);
            await Task.WhenAny(PumpAsync(near.GetStream(), far.GetStream()), PumpAsync(far.GetStream(), near.GetStream()));
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or SocketException)
        {
            // One side is gone.
        }
    }

    private async Task PumpAsync(NetworkStream from, NetworkStream to)
    {
        var under = Channel.CreateUnbounded<(byte[] Bytes, long At)>();
        var writing = WriteAsync(under.Reader, to);
        var buffer = new byte[64 << 10];
        try
        {
            while (await from.ReadAsync(buffer, _end.Token) is var read and > 0)
            {
                Interlocked.Add(ref _bytes, read);
                under.Writer.TryWrite((buffer[..read], Stopwatch.GetTimestamp()));
            }
        }
        finally
        {
            under.Writer.TryComplete();
        }

        await writing;
    }

    private async Task WriteAsync(ChannelReader<(byte[] Bytes, long At)> under, NetworkStream to)
    {
        await foreach (var (bytes, at) in under.ReadAllAsync(_end.Token))
        {
            var rest = (_roundTrip / 2) - Stopwatch.GetElapsedTime(at);
            if (rest > TimeSpan.Zero)
            {
                await Task.Delay(rest, _end.Token);
            }

            await to.WriteAsync(bytes, _end.Token);
        }
    }
}
