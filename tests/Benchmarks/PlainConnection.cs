using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace TrustixProxy.Benchmarks;

/// <summary>HTTP/1.1 on one blocking socket: the node is measured, and a client that hands each answer from thread to thread takes longer
/// than the node does.</summary>
internal sealed class PlainConnection : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private byte[] _buffer = new byte[1 << 16];

    public PlainConnection(Uri url) => _socket.Connect(url.Host, url.Port);

    /// <param name="path">Where to.</param>
    /// <param name="body">The message.</param>
    /// <param name="header">One more header line with its end, or nothing.</param>
    /// <returns>The answer's body.</returns>
    public byte[] Post(string path, byte[] body, string header)
    {
        _socket.Send(
            [.. Encoding.ASCII.GetBytes(
            $"POST {path} HTTP/1.1\r\nHost: log\r\nContent-Type: application/proto\r\nContent-Length: {body.Length}\r\n{header}\r\n"),
            .. body]);
        var (read, end) = (0, -1);
        while (end < 0)
        {
            read += Receive(read);
            end = _buffer.AsSpan(0, read).IndexOf("\r\n\r\n"u8);
        }

        var head = Encoding.ASCII.GetString(_buffer, 0, end);
        var length = head.Split("\r\n").Select(line => line.Split(": ")).Single(parts => parts[0] is "Content-Length")[1];
        var total = end + 4 + int.Parse(length, CultureInfo.InvariantCulture);
        while (read < total)
        {
            read += Receive(read);
        }

        var answer = _buffer[(end + 4)..total];
        return head.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal) ? answer
            : throw new HttpRequestException($"{head}\n{Encoding.UTF8.GetString(answer)}");
    }

    public void Dispose() => _socket.Dispose();

    private int Receive(int at)
    {
        if (at == _buffer.Length)
        {
            Array.Resize(ref _buffer, 2 * _buffer.Length);
        }

        var read = _socket.Receive(_buffer, at, _buffer.Length - at, SocketFlags.None);
        return read > 0 ? read : throw new HttpRequestException("the node has closed the connection");
    }
}
