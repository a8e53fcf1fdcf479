using System.Net;
using System.Net.Sockets;
using System.Text;
using TrustixProxy.IO.Certificates;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Clients;

public sealed class ConnectionTests
{
    private const string Request = "GET /nix-cache-info HTTP/1.1\r\nHost: x\r\n\r\n";

    [Fact]
    public async Task A_connection_beyond_the_limit_waits_and_takes_the_place_of_the_oldest_that_has_nothing_to_do()
    {
        await using var proxy = await new TestProxy
        {
            Change = options =>
            options with { Deadline = TimeSpan.FromMinutes(1), FrontDoor = options.FrontDoor with { Connections = 2 } }
        }.StartAsync();
        using var oldest = await ConnectAsync(proxy);
        await AskAsync(oldest);
        using var older = await ConnectAsync(proxy);
        await AskAsync(older);

        using var third = await ConnectAsync(proxy);
        var answer = await AskAsync(third);

        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.Equal(0, await oldest.ReceiveAsync(new byte[1]));
        Assert.StartsWith("HTTP/1.1 200 ", await AskAsync(older), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_is_busy_answers_to_the_end_before_it_makes_room()
    {
        await using var busy = await BusyProxy.StartAsync(new LoadLimits(), TimeSpan.FromMinutes(1));

        using var second = await ConnectAsync(busy.Proxy);
        var answer = AskAsync(second);
        await Task.Delay(TimeSpan.FromMilliseconds(100)); // if it did not wait, it would be answered now
        var waits = !answer.IsCompleted;
        busy.LetGo();

        Assert.True(waits);
        Assert.StartsWith("HTTP/1.1 200 ", await answer, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 ", await busy.Answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 60_000)] // nobody may wait
    [InlineData(100, 100)] // it may, but not for long
    public async Task Who_finds_no_room_is_told_to_come_later(int waiting, int milliseconds)
    {
        await using var busy = await BusyProxy.StartAsync(new LoadLimits(Waiting: waiting), TimeSpan.FromMilliseconds(milliseconds));

        using var second = await ConnectAsync(busy.Proxy);
        var answer = await AskAsync(second);

        Assert.StartsWith("HTTP/1.1 503 ", answer, StringComparison.Ordinal);
        Assert.Contains("Retry-After: 1\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", answer, StringComparison.Ordinal);
        busy.LetGo();
        Assert.StartsWith("HTTP/1.1 200 ", await busy.Answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Over_TLS_it_is_told_the_same(string version)
    {
        var folder = Directory.CreateTempSubdirectory("trustix-gate-").FullName;
        var (file, key) = TestCertificate.Write(folder, "proxy.example");
        Assert.True(TlsCertificate.TryLoad(file, key, out var certificate, out _));
        await using var proxy = await new TestProxy
        {
            Change = options =>
                options with
                {
                    FrontDoor = options.FrontDoor with
                    {
                        Listen = ["https://127.0.0.1:0"],
                        Certificate = certificate,
                        Connections = 1,
                        AllClients = new LoadLimits(Waiting: 0)
                    }
                },
        }.StartAsync();
        using var silent = await ConnectAsync(proxy); // never says a word, not even of TLS

        HttpResponseMessage answer;
        do
        {
            using var client = new HttpClient(new SocketsHttpHandler
            {
                SslOptions =
                { RemoteCertificateValidationCallback = (_, shown, _, _) => shown!.Subject is "CN=proxy.example" }
            });
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, "nix-cache-info"))
            {
                Version = new Version(
                version),
                VersionPolicy = HttpVersionPolicy.RequestVersionExact
            };
            answer = await client.SendAsync(request);
        }
        while (answer.StatusCode is HttpStatusCode.OK); // the silent one may be noticed later

        Assert.Equal((HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(1)), (answer.StatusCode, answer.Headers.RetryAfter!.Delta));
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_crowd_ten_times_the_limit_is_answered_whole()
    {
        await using var proxy = await new TestProxy
        {
            Change = options =>
            options with { Deadline = TimeSpan.FromMinutes(1), FrontDoor = options.FrontDoor with { Connections = 20 } }
        }.StartAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(async _ =>
        {
            using var socket = await ConnectAsync(proxy);
            return await AskAsync(socket);
        }));

        Assert.All(answers, answer => Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_limit_may_change_while_the_proxy_runs()
    {
        await using var busy = await BusyProxy.StartAsync(new LoadLimits(Waiting: 0), TimeSpan.FromMinutes(1));

        using var second = await ConnectAsync(busy.Proxy);
        var before = await AskAsync(second);
        Assert.Empty(await busy.Proxy.ReloadAsync(options => options with { FrontDoor = options.FrontDoor with { Connections = 2 } }));
        using var third = await ConnectAsync(busy.Proxy);
        var after = await AskAsync(third);
        busy.LetGo();

        Assert.StartsWith("HTTP/1.1 503 ", before, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 ", after, StringComparison.Ordinal);
    }

    private static async Task<Socket> ConnectAsync(TestProxy proxy)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(proxy.Url.Host, proxy.Url.Port);
        return socket;
    }

    /// <summary>The answer to a request, as far as it comes at once: a few hundred bytes.</summary>
    private static async Task<string> AskAsync(Socket socket, string request = Request)
    {
        var buffer = new byte[4096];
        await socket.SendAsync(Encoding.ASCII.GetBytes(request));
        return Encoding.ASCII.GetString(buffer, 0, await socket.ReceiveAsync(buffer));
    }

    /// <summary>A proxy with room for one connection, which waits for an answer until the test lets it go.</summary>
    private sealed class BusyProxy : IAsyncDisposable
    {
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously),
            _go = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Socket? _socket;

        private BusyProxy(TestProxy proxy) => Proxy = proxy;

        public TestProxy Proxy { get; }

        public Task<string> Answer { get; private set; } = Task.FromResult("");

        public static async Task<BusyProxy> StartAsync(LoadLimits limits, TimeSpan deadline)
        {
            var (busy, output) = (new BusyProxy(await TestProxy.WithThreeLogsAsync()), TestOutput.Make());
            busy.Proxy.Change = options =>
                options with
                {
                    Deadline = TimeSpan.FromMinutes(1),
                    FrontDoor = options.FrontDoor with { Connections = 1, AllClients = limits }
                };
            await busy.Proxy.Publish(output, "alice", "bob", "carol").StartAsync();
            var narInfo = await busy.DecideAsync(output);
            busy.Proxy.Upstream().Intercept = async _ =>
            {
                busy._asked.TrySetResult();
                await busy._go.Task;
                return false;
            };
            busy._socket = await ConnectAsync(busy.Proxy);
            busy.Answer = AskAsync(busy._socket, $"GET /{narInfo} HTTP/1.1\r\nHost: x\r\n\r\n");
            await busy._asked.Task;
            await busy.Proxy.ReloadAsync(options => options with { Deadline = deadline }); // what is under way has a minute
            return busy;
        }

        public void LetGo() => _go.TrySetResult();

        public async ValueTask DisposeAsync()
        {
            LetGo();
            _socket?.Dispose();
            await Proxy.DisposeAsync();
        }

        /// <summary>Has the path decided on, by a connection that is gone afterwards.</summary>
        private async Task<string> DecideAsync(TestOutput output)
        {
            using var socket = await ConnectAsync(Proxy);
            await socket.SendAsync(
                Encoding.ASCII.GetBytes($"GET /{output.Path.Digest}.narinfo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
            using var reader = new StreamReader(new NetworkStream(socket));
            var answer = await reader.ReadToEndAsync();
            return answer.Split('\n').Single(line => line.StartsWith("URL: ", StringComparison.Ordinal))[5..];
        }
    }
}
