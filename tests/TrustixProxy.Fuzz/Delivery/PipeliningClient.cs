using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace TrustixProxy.Fuzz.Delivery;

/// <summary>A client that sends its requests one behind the other on one connection, and then reads the answers.</summary>
internal sealed class PipeliningClient : IDisposable
{
    private const int MaxLine = 8 << 10;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TcpClient _connection = new();
    private readonly CancellationTokenSource _limit = new();
    private BufferedStream? _answers;

    /// <summary>Asks for all orders at once; what a cut leaves unanswered is asked for on the next connection.</summary>
    public static async Task<IReadOnlyList<DeliveryEnd>> RunAsync(Uri proxy, IReadOnlyList<DeliveryOrder> orders)
    {
        var ends = new List<DeliveryEnd>();
        while (ends.Count < orders.Count)
        {
            using var client = new PipeliningClient();
            await client.RunAsync(proxy, orders.Skip(ends.Count).ToList(), ends);
        }

        return ends;
    }

    public void Dispose()
    {
        _answers?.Dispose();
        _connection.Dispose();
        _limit.Dispose();
    }

    /// <summary>Adds how each order ended, to the first that was cut.</summary>
    private async Task RunAsync(Uri proxy, List<DeliveryOrder> orders, List<DeliveryEnd> ends)
    {
        _limit.CancelAfter(Patience);
        await _connection.ConnectAsync(proxy.Host, proxy.Port, _limit.Token);
        _answers = new BufferedStream(_connection.GetStream(), 16 << 10);
        var requests = string.Concat(orders.Select(order => RequestOf(proxy, order)));
        await _connection.GetStream().WriteAsync(Encoding.ASCII.GetBytes(requests), _limit.Token);
        var end = DeliveryEnd.Whole;
        for (var i = 0; i < orders.Count && end is (DeliveryEnd.Whole or DeliveryEnd.Refused); i++)
        {
            _limit.CancelAfter(Patience); // for each answer: those before it may have taken long
            end = await ReadAnswerAsync(orders[i]);
            ends.Add(end);
        }
    }

    private static string RequestOf(Uri proxy, DeliveryOrder order)
    {
        var range = order.Start > 0 ? $"Range: bytes={order.Start}-\r\n" : "";
        return $"GET /{order.NarInfo.Url} HTTP/1.1\r\nHost: {proxy.Authority}\r\n{range}\r\n";
    }

    private async Task<DeliveryEnd> ReadAnswerAsync(DeliveryOrder order)
    {
        using var body = new MemoryStream();
        long? length = null;
        try
        {
            var status = (await ReadLineAsync()).Split(' ')[1];
            (length, var isChunked) = await ReadHeadersAsync();
            order = status is "206" ? order : order with { Start = 0 };
            await (isChunked ? ReadChunksAsync(body) : CopyAsync(body, length ?? throw new EndOfStreamException()));
            return status is "200" or "206" ? await order.JudgeWholeAsync(body.ToArray())
                : status is "404" or "416" ? DeliveryEnd.Refused
                : DeliveryEnd.Fault;
        }
        catch (IOException)
        {
            return order.JudgeCut(body.ToArray(), length);
        }
        catch (OperationCanceledException)
        {
            return DeliveryEnd.Hung;
        }
    }

    private async Task<(long? Length, bool IsChunked)> ReadHeadersAsync()
    {
        long? length = null;
        var isChunked = false;
        while (await ReadLineAsync() is { Length: > 0 } header)
        {
            var colon = header.IndexOf(':', StringComparison.Ordinal);
            var (name, value) = (header[..colon].ToLowerInvariant(), header[(colon + 1)..].Trim());
            length = name is "content-length" ? long.Parse(value, CultureInfo.InvariantCulture) : length;
            isChunked |= name is "transfer-encoding" && value is "chunked";
        }

        return (length, isChunked);
    }

    private async Task ReadChunksAsync(MemoryStream body)
    {
        while (long.Parse(await ReadLineAsync(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) is var size and > 0)
        {
            await CopyAsync(body, size);
            await ReadLineAsync();
        }

        await ReadLineAsync();
    }

    private async Task CopyAsync(MemoryStream body, long count)
    {
        var buffer = new byte[16 << 10];
        while (count > 0)
        {
            var read = await _answers!.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, count)), _limit.Token);
            body.Write(buffer, 0, read > 0 ? read : throw new EndOfStreamException());
            count -= read;
        }
    }

    private async Task<string> ReadLineAsync()
    {
        var (line, one) = (new StringBuilder(), new byte[1]);
        while (line.Length < MaxLine)
        {
            await _answers!.ReadExactlyAsync(one, _limit.Token);
            if (one[0] is (byte)'\n')
            {
                return line.ToString().TrimEnd('\r');
            }

            line.Append((char)one[0]);
        }

        throw new EndOfStreamException();
    }
}
