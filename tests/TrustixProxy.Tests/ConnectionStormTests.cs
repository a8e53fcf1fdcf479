using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>20,000 silent connections from one address to a server that may open 4,096 files.</summary>
public sealed class ConnectionStormTests
{
    private const int Sockets = 20_000, Files = 4096, Openers = 8, MostHeld = 6000;

    private const long MostMemory = 200_000_000;

    private static readonly TimeSpan Prompt = TimeSpan.FromSeconds(1), Patience = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task The_proxy_lives_and_answers_another_address_at_once()
    {
        using var folder = new Folder();
        var config = folder.File("c.json", $$"""{ "listen": ["http://127.0.0.1:0"], "operations": { "listen": ["http://127.0.0.1:0"] }, "stateDirectory": "{{folder.Path}}/state" }""");

        await StormAsync("serve", config, "/nix-cache-info", "HTTP/1.1 200 ");
    }

    [Fact]
    public async Task The_log_node_lives_and_answers_another_address_at_once()
    {
        using var folder = new Folder();
        Assert.Equal(0, (await Cli.RunAsync(["keygen", folder.File("log.key")])).Code);
        var config = folder.File("c.json", $$"""{ "listen": ["http://127.0.0.1:0"], "privateListen": ["http://127.0.0.1:0"], "stateDirectory": "{{folder.Path}}/state", "logs": [{ "name": "a", "privateKeyFile": "{{folder.File("log.key")}}" }] }""");

        await StormAsync("log serve", config, "/no-call", "HTTP/1.1 404 ");
    }

    private static async Task StormAsync(string verb, string config, string path, string expected)
    {
        var start = new ProcessStartInfo(
            "/bin/sh", ["-c", $"ulimit -n {Files} && exec {Executable.Words} {verb} --config '{config}'"])
        { RedirectStandardError = true };
        using var server = Process.Start(start)!;
        var held = new List<Socket>();
        try
        {
            var ports = await PortsAsync(server);
            await Task.WhenAll(Enumerable.Range(0, Openers).Select(_ => Task.Run(() => OpenAsync(ports[0], held))));

            foreach (var port in ports)
            {
                var quickest = TimeSpan.MaxValue;
                for (var attempt = 0; attempt < 5 && quickest > Prompt; attempt++)
                {
                    var begun = Stopwatch.GetTimestamp();
                    var answer = await AskAsync("127.0.0.2", port, path);
                    quickest = answer.StartsWith("HTTP/1.1 ", StringComparison.Ordinal) && Stopwatch.GetElapsedTime(begun) < quickest
                        ? Stopwatch.GetElapsedTime(begun) : quickest;
                    Assert.True(port != ports[0] || answer.StartsWith(expected, StringComparison.Ordinal), answer);
                }

                Assert.True(quickest <= Prompt, $"port {port}: {quickest}");
            }

            Assert.False(server.HasExited);
            Assert.InRange(PeakMemory(server), 0, MostMemory);
        }
        finally
        {
            held.ForEach(socket => socket.Dispose());
            server.Kill();
            await server.WaitForExitAsync();
        }
    }

    /// <summary>Opens a share of the sockets, none of which says a word. Those that the server has closed make room where this process may
    /// not hold them all.</summary>
    private static async Task OpenAsync(int port, List<Socket> held)
    {
        for (var i = 0; i < Sockets / Openers; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            using var limit = new CancellationTokenSource(Patience);
            try
            {
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), limit.Token);
            }
            catch (Exception exception) when (exception is SocketException or OperationCanceledException)
            {
                socket.Dispose();
                continue; // it was closed while it was being opened, or the server is deaf, which shows later
            }

            lock (held)
            {
                held.Add(socket);
                if (held.Count >= MostHeld)
                {
                    held.FindAll(IsClosed).ForEach(closed => closed.Dispose());
                    held.RemoveAll(other => !other.Connected || other.SafeHandle.IsClosed);
                }
            }
        }
    }

    private static bool IsClosed(Socket socket) => socket.Poll(0, SelectMode.SelectRead);

    private static async Task<string> AskAsync(string from, int port, string path)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), limit.Token);
            await socket.SendAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"), limit.Token);
            var buffer = new byte[4096];
            return Encoding.ASCII.GetString(buffer, 0, await socket.ReceiveAsync(buffer, limit.Token));
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException)
        {
            return exception.Message;
        }
    }

    /// <summary>Where it listens, once it says so.</summary>
    private static async Task<int[]> PortsAsync(Process server)
    {
        while (await server.StandardError.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("serving", StringComparison.Ordinal))
            {
                _ = server.StandardError.ReadToEndAsync(); // so that it never waits for us
                return [.. line.Split(' ', ',').Where(word => word.StartsWith("http://", StringComparison.Ordinal))
                    .Select(word => new Uri(word).Port)];
            }
        }

        throw new InvalidOperationException("The server has ended.");
    }

    private static long PeakMemory(Process server) => 1024 * long.Parse(
        File.ReadLines($"/proc/{server.Id}/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture);
}
