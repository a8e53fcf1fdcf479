using System.Net.Sockets;
using System.Text;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Listening;

public sealed class HostileClientTests
{
    [Theory]
    [InlineData("GET /nix-cache-info HTTP/1.1\r\nHost: x\r\nX: ", "431")]
    [InlineData("GET /", "414")]
    [InlineData("POST /nix-cache-info HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\n", "405")]
    [InlineData("GET /nix-cache-info HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\n", "200")]
    [InlineData("POST /nix-cache-info HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", "405")]
    public async Task Headers_request_lines_and_bodies_without_end_are_cut_off(string begin, string status)
    {
        await using var proxy = await new TestProxy().StartAsync();
        using var socket = await ConnectAsync(proxy);
        await socket.SendAsync(Encoding.ASCII.GetBytes(begin));
        var (sent, isCutOff) = (0L, false);
        var answer = ReadToEndAsync(socket);
        var garbage = Enumerable.Repeat((byte)'a', 64 << 10).ToArray();
        while (!isCutOff && sent < 1 << 30)
        {
            try
            {
                sent += await socket.SendAsync(garbage);
                isCutOff = answer.IsCompleted;
            }
            catch (SocketException)
            {
                isCutOff = true;
            }
        }

        Assert.True(isCutOff);
        Assert.True(sent < 32 << 20, $"{sent} bytes were taken"); // the system's buffers, at the most
        Assert.True((await answer) is "" || (await answer).StartsWith($"HTTP/1.1 {status} ", StringComparison.Ordinal), await answer);
    }

    [Fact]
    public async Task Too_many_headers_are_refused()
    {
        await using var proxy = await new TestProxy().StartAsync();

        var answer = await AskAsync(
            proxy, $"GET /nix-cache-info HTTP/1.1\r\nHost: x\r\n{string.Concat(Enumerable.Range(0, 100).Select(i => $"X{i}: 1\r\n"))}\r\n");

        Assert.StartsWith("HTTP/1.1 431 ", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Headers_that_come_byte_by_byte_are_cut_off_in_time_and_others_are_answered_meanwhile()
    {
        await using var proxy = await new TestProxy
        {
            Change = options =>
            options with { FrontDoor = options.FrontDoor with { HeaderTimeout = TimeSpan.FromSeconds(1) } }
        }.StartAsync();
        var slow = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => ConnectAsync(proxy)));
        var ends = slow.Select(ReadToEndAsync).ToList();
        await Task.WhenAll(
            slow.Select(socket => socket.SendAsync(Encoding.ASCII.GetBytes("GET /nix-cache-info HTTP/1.1\r\nHost: x\r\nX: "))));
        var dripping = Task.WhenAll(slow.Select(DripAsync));

        while (!ends.TrueForAll(end => end.IsCompleted))
        {
            Assert.Equal(System.Net.HttpStatusCode.OK, (await proxy.AskAsync("nix-cache-info")).Status);
        }

        await dripping;
        Assert.All(await Task.WhenAll(ends), answer =>
            Assert.True(answer is "" || answer.StartsWith("HTTP/1.1 408 ", StringComparison.Ordinal), answer));
        Array.ForEach(slow, socket => socket.Dispose());
    }

    [Fact]
    public async Task A_request_with_a_body_is_not_read()
    {
        await using var proxy = await new TestProxy().StartAsync();

        var answer = await AskAsync(proxy, "POST /nix-cache-info HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 405 ", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_takes_a_NAR_too_slowly_is_given_up_and_others_are_served_meanwhile()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        var output = TestOutput.Make(size: 12_000_000);
        proxy.Change = options =>
            options with
            {
                FrontDoor =
            options.FrontDoor with { LeastBytesPerSecond = 1_000_000, SlownessGrace = TimeSpan.FromSeconds(1.1) }
            };
        await proxy.Publish(output, "alice", "bob", "carol").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        var slow = Enumerable.Range(0, 4).Select(_ => new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 8192 })
            .ToList();
        foreach (var socket in slow)
        {
            await socket.ConnectAsync(proxy.Url.Host, proxy.Url.Port);
            await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /{narInfo.Url} HTTP/1.1\r\nHost: x\r\n\r\n"));
        }

        var ends = slow.Select(ReadSlowlyAsync).ToList();
        while (!ends.TrueForAll(end => end.IsCompleted))
        {
            Assert.Equal(System.Net.HttpStatusCode.OK, (await proxy.AskAsync("nix-cache-info")).Status);
        }

        Assert.All(await Task.WhenAll(ends), got => Assert.InRange(got, 1, output.Nar.Length / 2));
        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
        slow.ForEach(socket => socket.Dispose());
    }

    /// <summary>Reads ten bytes a second until the other end gives up, and then what is there still.</summary>
    private static async Task<long> ReadSlowlyAsync(Socket socket)
    {
        var got = 0L;
        try
        {
            while (!socket.Poll(0, SelectMode.SelectError) && await socket.ReceiveAsync(new byte[1]) is var read and > 0)
            {
                got += read;
                await Task.Delay(TimeSpan.FromMilliseconds(100));
            }
        }
        catch (SocketException)
        {
            // It was given up.
        }

        return got;
    }

    private static async Task DripAsync(Socket socket)
    {
        try
        {
            while (true)
            {
                await socket.SendAsync("a"u8.ToArray());
                await Task.Delay(TimeSpan.FromMilliseconds(100));
            }
        }
        catch (SocketException)
        {
            // It was cut off.
        }
    }

    private static async Task<Socket> ConnectAsync(TestProxy proxy)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(proxy.Url.Host, proxy.Url.Port);
        return socket;
    }

    private static async Task<string> AskAsync(TestProxy proxy, string request)
    {
        using var socket = await ConnectAsync(proxy);
        await socket.SendAsync(Encoding.ASCII.GetBytes(request));
        return await ReadToEndAsync(socket);
    }

    /// <summary>All that comes until the connection ends, however that is.</summary>
    private static async Task<string> ReadToEndAsync(Socket socket)
    {
        var (text, buffer) = (new StringBuilder(), new byte[4096]);
        try
        {
            while (await socket.ReceiveAsync(buffer) is var read and > 0)
            {
                text.Append(Encoding.ASCII.GetString(buffer, 0, read));
            }
        }
        catch (SocketException)
        {
            // It was reset.
        }

        return text.ToString();
    }
}
