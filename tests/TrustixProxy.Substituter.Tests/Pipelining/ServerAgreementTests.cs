using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using TrustixProxy.Substituter.Pipelining;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Pipelining;

/// <summary>What is seen ahead is what the server reads afterwards.</summary>
public sealed class ServerAgreementTests
{
    [Fact]
    public void Bytes_in_any_pieces_show_the_same_requests()
    {
        var random = new Random(1);
        for (var round = 0; round < 3000; round++)
        {
            var bytes = Pipelines.Bytes(Damage(Pipelines.Random(random), random));
            var (heads, end) = Pipelines.See(new(bytes));

            var split = Pipelines.See(Pipelines.Split(bytes, random));

            Assert.Equal((string.Join(' ', heads), end), (string.Join(' ', split.Heads), split.End));
        }
    }

    [Fact]
    public void Of_bytes_that_are_not_all_there_yet_the_first_requests_are_seen()
    {
        var random = new Random(2);
        for (var round = 0; round < 3000; round++)
        {
            var bytes = Pipelines.Bytes(Damage(Pipelines.Random(random), random));
            var all = Pipelines.See(new(bytes)).Heads;

            var (heads, end) = Pipelines.See(new(bytes.AsMemory(0, random.Next(bytes.Length))));

            Assert.Equal(all.Take(heads.Count), heads);
            Assert.True(heads.Count == all.Count || end is HeadReading.Incomplete, $"{end} after {heads.Count} of {all.Count}");
        }
    }

    [Fact]
    public async Task The_server_reads_every_request_that_was_seen_in_the_same_order()
    {
        await using var server = await RecordingServer.StartAsync();
        var (random, seen) = (new Random(3), 0);
        for (var round = 0; round < 1500; round++)
        {
            var text = Damage(Pipelines.Random(random), random);
            var heads = Pipelines.See(new(Pipelines.Bytes(text))).Heads;

            var read = await server.ReadAsync($"/{round}", text, heads.Count);

            Assert.True(read.Count >= heads.Count, $"seen {heads.Count}, read {read.Count}: {text}");
            Assert.All(heads.Zip(read), pair => Assert.True(
                pair.First.Digest is null || pair.Second == $"/{pair.First.Digest}.narinfo", $"{pair}: {text}"));
            seen += heads.Count(head => head.Digest is not null);
        }

        Assert.InRange(seen, 1000, int.MaxValue);
    }

    /// <summary>Changes, adds or removes a few bytes, in most cases.</summary>
    private static string Damage(string text, Random random)
    {
        string[] spice = [
            "\r", "\n", "\r\n", " ", "\t", ":", "\0", "/", "%", "A", "HTTP/1.0", "Content-Length: 3\r\n", "GET / ", "\r\n\r\n"];
        for (var steps = random.Next(4); steps > 0; steps--)
        {
            var at = random.Next(text.Length);
            text = text[..at] + (random.Next(3) is 0 ? "" : spice[random.Next(spice.Length)])
                + text[Math.Min(text.Length, at + random.Next(3))..];
        }

        return text.Length is 0 ? "G" : text;
    }

    /// <summary>A server with the limits of the proxy, which notes what it reads on each connection.</summary>
    private sealed class RecordingServer(WebApplication app) : IAsyncDisposable
    {
        private readonly WebApplication _app = app;
        private readonly ConcurrentDictionary<string, ConcurrentQueue<string>> _read = new();

        public static async Task<RecordingServer> StartAsync()
        {
            var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
            {
                kestrel.Listen(IPAddress.Loopback, 0);
                var limits = kestrel.Limits;
                (limits.MaxRequestLineSize, limits.MaxRequestHeadersTotalSize, limits.MaxRequestHeaderCount, limits.MaxRequestBodySize) = (
                    RequestHead.MaxRequestLine, RequestHead.MaxHeaders, RequestHead.MaxHeaderCount, 0);
            });
            var server = new RecordingServer(builder.Build());
            server._app.Run(context =>
            {
                server._read.GetOrAdd(context.Connection.Id, _ => new()).Enqueue(context.Request.Path.Value!);
                return Task.CompletedTask;
            });
            await server._app.StartAsync();
            return server;
        }

        /// <summary>The paths that the server reads on one connection, after the first, which names it.</summary>
        /// <param name="first">The path of the first request.</param>
        /// <param name="text">What follows it.</param>
        /// <param name="count">How many requests are waited for, unless the server closes the connection before.</param>
        public async Task<List<string>> ReadAsync(string first, string text, int count)
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            var url = new Uri(_app.Urls.Single());
            await socket.ConnectAsync(url.Host, url.Port);
            await socket.SendAsync(Encoding.Latin1.GetBytes($"GET {first} HTTP/1.1\r\nHost: x\r\n\r\n{text}"));
            var end = ReadToEndAsync(socket);
            List<string> Read() => [.. _read.Values.SingleOrDefault(paths => paths.FirstOrDefault() == first)?.Skip(1) ?? []];
            await UntilAsync(() => end.IsCompleted || Read().Count >= count);
            return Read();
        }

        public ValueTask DisposeAsync() => _app.DisposeAsync();

        private static async Task ReadToEndAsync(Socket socket)
        {
            try
            {
                while (await socket.ReceiveAsync(new byte[4096]) > 0)
                {
                    // Only what was read matters.
                }
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // It was reset, or the test has seen enough.
            }
        }
    }
}
