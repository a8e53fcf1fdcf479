using System.Net;
using System.Net.Sockets;

namespace TrustixProxy.IO.Connecting;

/// <summary>An outgoing connection whose continuations run on the thread pool.</summary>
/// <remarks><c>serve</c> completes socket operations on the threads that wait for sockets, so that an answer from memory needs no change of
/// threads. Those threads must never block. Slow requests leave them at once, and clients of other servers connect by this type.</remarks>
public sealed class PooledConnection : NetworkStream
{
    private PooledConnection(Socket socket)
        : base(socket, ownsSocket: true)
    {
    }

    /// <summary>Connects over TCP to one address.</summary>
    /// <exception cref="SocketException">The address does not answer, or refuses the connection.</exception>
    public static ValueTask<Stream> ConnectAsync(IPEndPoint address, CancellationToken cancellation) => ConnectAsync(
        new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true },
        socket => socket.ConnectAsync(address, cancellation));

    /// <summary>Connects to a unix socket.</summary>
    public static ValueTask<Stream> ConnectAsync(string path, CancellationToken cancellation) => ConnectAsync(
        new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified),
        socket => socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation));

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var reading = base.ReadAsync(buffer, cancellationToken);
        return reading.IsCompleted ? reading : FollowAsync(reading);
    }

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var writing = base.WriteAsync(buffer, cancellationToken);
        return writing.IsCompleted ? writing : FollowAsync(writing);
    }

    private static async ValueTask<Stream> ConnectAsync(Socket socket, Func<Socket, ValueTask> connect)
    {
        try
        {
            await connect(socket);
            _ = socket.RemoteEndPoint; // fails for a peer that has already reset; HttpClient reads it later, where it catches nothing
            return new PooledConnection(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        finally
        {
            await Task.Yield();
        }
    }

    private static async ValueTask<int> FollowAsync(ValueTask<int> reading)
    {
        try
        {
            return await reading;
        }
        finally
        {
            await Task.Yield();
        }
    }

    private static async ValueTask FollowAsync(ValueTask writing)
    {
        try
        {
            await writing;
        }
        finally
        {
            await Task.Yield();
        }
    }
}
