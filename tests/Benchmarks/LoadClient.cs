using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace TrustixProxy.Benchmarks;

/// <summary>What many clients at once saw.</summary>
/// <param name="Seconds">How long it took.</param>
/// <param name="Latencies">Of each answer, in ms, in order.</param>
/// <param name="Errors">Answers that were not good, or did not come.</param>
internal sealed record Crowd(double Seconds, List<double> Latencies, int Errors)
{
    public double Percentile(double share) => Latencies.Count is 0 ? double.NaN : Latencies[(int)((Latencies.Count - 1) * share)];
}

/// <summary>Many connections by few threads on plain sockets: the client takes a few kilobytes for each, and little of the
/// machine.</summary>
internal static class LoadClient
{
    private const int Threads = 32;

    /// <summary>How long a download that waits for its turn is waited for.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Opens connections, all of which stay open.</summary>
    public static List<Socket> Connect(Uri url, int count, int receiveBuffer = 0) => [.. Enumerable.Range(0, count).Select(_ =>
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 20_000 };
        if (receiveBuffer > 0)
        {
            socket.ReceiveBufferSize = receiveBuffer;
        }

        socket.Connect(url.Host, url.Port);
        return socket;
    })];

    /// <summary>Each connection asks so many times, one after the other: 32 of them at once.</summary>
    /// <param name="sockets">The connections.</param>
    /// <param name="rounds">How often each asks.</param>
    /// <param name="paths">What they ask for.</param>
    public static Crowd Ask(List<Socket> sockets, int rounds, string[] paths)
    {
        byte[][] requests = [.. paths.Select(RequestOf)];
        var watch = Stopwatch.StartNew();
        var parts = InThreads(sockets, (own, first) =>
        {
            var (buffer, latencies, errors) = (new byte[16 << 10], new List<double>(own.Count * rounds), 0);
            for (var (i, asked) = (0, first); i < own.Count * rounds; i++, asked += Threads)
            {
                var start = Stopwatch.GetTimestamp();
                try
                {
                    own[i % own.Count].Send(requests[asked % requests.Length]);
                    ReadAnswer(own[i % own.Count], buffer);
                    latencies.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                }
                catch (Exception exception) when (exception is SocketException or IOException)
                {
                    errors++;
                }
            }

            return (latencies, errors);
        });
        return new Crowd(watch.Elapsed.TotalSeconds, [.. parts.SelectMany(part => part.latencies).Order()], parts.Sum(part => part.errors));
    }

    /// <summary>Each connection downloads something; all go on at the same pace, a buffer after the other of those that have one.</summary>
    /// <param name="sockets">The connections.</param>
    /// <param name="paths">What they ask for.</param>
    /// <param name="size">How long each of these is.</param>
    /// <param name="onHalf">Called once the first has half of its download.</param>
    public static Crowd Download(List<Socket> sockets, string[] paths, long size, Action onHalf)
    {
        var (watch, isHalf) = (Stopwatch.StartNew(), 0);
        var parts = InThreads(sockets, (own, first) =>
        {
            var downloads = own.ToDictionary(socket => socket, _ => new Downloading(size));
            foreach (var (i, socket) in own.Index())
            {
                socket.Send(RequestOf(paths[(first + (i * Threads)) % paths.Length]));
            }

            var (buffer, latencies) = (new byte[64 << 10], new List<double>(own.Count));
            while (downloads.Where(download => !download.Value.IsOver).Select(download => download.Key).ToList() is { Count: > 0 } ready)
            {
                Socket.Select(ready, null, null, Patience);
                if (ready.Count is 0)
                {
                    break;
                }

                foreach (var socket in ready)
                {
                    downloads[socket].Read(socket, buffer);
                    if (downloads[socket].IsOver)
                    {
                        latencies.Add(watch.Elapsed.TotalMilliseconds);
                    }
                    else if (downloads[socket].IsHalf && Interlocked.Exchange(ref isHalf, 1) is 0)
                    {
                        onHalf();
                    }
                }
            }

            downloads.Values.Where(download => !download.IsGood).GroupBy(download => download.Fault).ToList()
                .ForEach(faults => Console.Error.WriteLine($"{faults.Count()} downloads: {faults.Key}"));
            return (latencies, errors: downloads.Values.Count(download => !download.IsGood));
        });
        return new Crowd(watch.Elapsed.TotalSeconds, [.. parts.SelectMany(part => part.latencies).Order()], parts.Sum(part => part.errors));
    }

    private static byte[] RequestOf(string path) => Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: cache\r\n\r\n");

    private static List<T> InThreads<T>(List<Socket> sockets, Func<List<Socket>, int, T> run)
    {
        var results = new T[Threads];
        var threads = Enumerable.Range(0, Threads).Select(thread =>
            new Thread(() => results[thread] = run([.. sockets.Where((_, i) => i % Threads == thread)], thread), 256 << 10)).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return [.. results];
    }

    private static void ReadAnswer(Socket socket, byte[] buffer)
    {
        for (var (read, total) = (0, int.MaxValue); read < total;)
        {
            var got = socket.Receive(buffer, read, buffer.Length - read, SocketFlags.None);
            read += got > 0 ? got : throw new IOException("the connection was closed");
            if (total is int.MaxValue && TryReadHead(buffer.AsSpan(0, read), out var body, out var length))
            {
                total = body + (int)length;
            }
        }
    }

    /// <summary>Finds where the body begins, and how long it is; a bad answer is an error.</summary>
    private static bool TryReadHead(ReadOnlySpan<byte> answer, out int body, out long length)
    {
        const string lengthHeader = "Content-Length: ";
        (body, length) = (answer.IndexOf("\r\n\r\n"u8) + 4, 0);
        if (body < 4)
        {
            return false;
        }

        var head = Encoding.ASCII.GetString(answer[..body]);
        if (!head.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal)
            || head.IndexOf(lengthHeader, StringComparison.Ordinal) is not (> 0 and var at))
        {
            throw new IOException(head);
        }

        length = long.Parse(head.AsSpan(at + lengthHeader.Length, head.IndexOf('\r', at) - at - lengthHeader.Length), NumberStyles.None,
            CultureInfo.InvariantCulture);
        return true;
    }

    /// <summary>A download that goes on when there is something to read.</summary>
    private sealed class Downloading(long size)
    {
        private long _got = -1;

        public bool IsGood => _got == size;

        public bool IsHalf => _got > size / 2;

        /// <summary>What is wrong with it, unless it is good.</summary>
        public string Fault { get; private set; } = $"nothing came for {Patience.TotalSeconds} s";

        public bool IsOver { get; private set; }

        /// <summary>Reads what is there, a buffer at the most.</summary>
        public void Read(Socket socket, byte[] buffer)
        {
            var read = socket.Receive(buffer, 0, buffer.Length, SocketFlags.None, out var error);
            if (_got < 0 && read > 0)
            {
                IsOver = !buffer.AsSpan(0, read).StartsWith("HTTP/1.1 200 "u8); // heads are sent whole
                Fault = IsOver ? Encoding.ASCII.GetString(buffer, 0, Math.Min(read, 300)).Split('\r')[0] : Fault;
                _got = read - (buffer.AsSpan(0, read).IndexOf("\r\n\r\n"u8) + 4);
            }
            else
            {
                _got += read;
            }

            Fault = read is 0 || error is not SocketError.Success ? $"{error} after {_got} bytes of {size}" : Fault;
            IsOver |= read is 0 || error is not SocketError.Success || _got >= size;
        }
    }
}
