using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace TrustixProxy.Benchmarks;

/// <summary>One download over a new connection, by a client that does nothing with the bytes.</summary>
/// <param name="Size">Bytes of the body.</param>
/// <param name="FirstByte">Until the first byte of the body, in ms.</param>
/// <param name="Seconds">Until the last.</param>
internal sealed record Download(long Size, double FirstByte, double Seconds)
{
    public static Task<Download> RunAsync(Uri url, long size) => Task.Run(() => Run(url, size));

    private static Download Run(Uri url, long size)
    {
        var watch = Stopwatch.StartNew();
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(url.Host, url.Port);
        socket.Send(Encoding.ASCII.GetBytes($"GET {url.PathAndQuery} HTTP/1.1\r\nHost: {url.Authority}\r\nConnection: close\r\n\r\n"));
        var (buffer, filled, body) = (new byte[256 << 10], 0, -1);
        while (body < 0)
        {
            var read = socket.Receive(buffer, filled, buffer.Length - filled, SocketFlags.None);
            filled += read > 0 ? read : throw new IOException($"{url}: no answer: {Encoding.ASCII.GetString(buffer, 0, filled)}");
            body = buffer.AsSpan(0, filled).IndexOf("\r\n\r\n"u8);
        }

        if (!buffer.AsSpan(0, filled).StartsWith("HTTP/1.1 200"u8))
        {
            throw new IOException($"{url}: {Encoding.ASCII.GetString(buffer, 0, filled)}");
        }

        long got = filled - body - 4;
        var first = got > 0 ? watch.Elapsed : TimeSpan.Zero;
        while (socket.Receive(buffer) is var read and > 0)
        {
            first = first == TimeSpan.Zero ? watch.Elapsed : first;
            got += read;
        }

        return got == size ? new Download(size, first.TotalMilliseconds, watch.Elapsed.TotalSeconds)
            : throw new IOException($"{url}: {got} of {size} bytes came");
    }
}
