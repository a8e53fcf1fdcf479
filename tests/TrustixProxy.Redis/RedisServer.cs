using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace TrustixProxy.Redis;

/// <summary>A real redis-server on loopback that can be killed, stopped and filled.</summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private Process _process;
    private ConnectionMultiplexer? _connection;

    private RedisServer(int port, Process process) => (Port, _process) = (port, process);

    public int Port { get; }

    /// <summary>Whoever can write to it.</summary>
    public IDatabase Database =>
        (_connection ??= ConnectionMultiplexer.Connect($"127.0.0.1:{Port},allowAdmin=true,abortConnect=false")).GetDatabase();

    public IServer Server
    {
        get
        {
            _ = Database;
            return _connection!.GetServer($"127.0.0.1:{Port}");
        }
    }

    public static async Task<RedisServer> StartAsync()
    {
        for (var attempt = 0; attempt < 10; attempt++)
        {
            using var probe = new TcpListener(IPAddress.Loopback, 0);
            probe.Start();
            var port = ((IPEndPoint)probe.LocalEndpoint).Port;
            probe.Stop();
            var server = new RedisServer(port, Run(port));
            if (await server.IsUpAsync())
            {
                return server;
            }

            await server.DisposeAsync();
        }

        throw new InvalidOperationException("redis-server does not start: apt-get install redis-server");
    }

    /// <summary>All keys that begin so.</summary>
    public List<RedisKey> Keys(string pattern = "*") => [.. Server.Keys(pattern: pattern, pageSize: 1000)];

    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Comes back with nothing in it.</summary>
    public async Task ReviveAsync()
    {
        _connection?.Dispose();
        _connection = null;
        _process.Dispose();
        _process = Run(Port);
        Assert.True(await IsUpAsync());
    }

    public Task StopAsync() => SignalAsync("-STOP");

    public Task ContinueAsync() => SignalAsync("-CONT");

    /// <summary>Lets it take nothing more.</summary>
    public async Task FillAsync()
    {
        var used = long.Parse(Server.Info("memory").Single().Single(line => line.Key is "used_memory").Value, CultureInfo.InvariantCulture);
        await Server.ConfigSetAsync("maxmemory-policy", "noeviction");
        await Server.ConfigSetAsync("maxmemory", (used / 2).ToString(CultureInfo.InvariantCulture));
    }

    public Task EmptyAsync() => Server.ConfigSetAsync("maxmemory", "0");

    public async ValueTask DisposeAsync()
    {
        _connection?.Dispose();
        if (!_process.HasExited)
        {
            await ContinueAsync();
            await KillAsync();
        }

        _process.Dispose();
    }

    private static Process Run(int port)
    {
        var start = new ProcessStartInfo("redis-server", ["--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", Path.GetTempPath()])
        { RedirectStandardOutput = true };
        var process = Process.Start(start)!;
        process.BeginOutputReadLine();
        return process;
    }

    private async Task SignalAsync(string signal) => (await Shell.RunAsync("kill", [signal, $"{_process.Id}"])).OrThrow();

    private async Task<bool> IsUpAsync()
    {
        for (var i = 0; i < 200 && !_process.HasExited; i++)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, Port);
                await client.GetStream().WriteAsync("PING\r\n"u8.ToArray());
                return await client.GetStream().ReadAsync(new byte[16]) > 0;
            }
            catch (SocketException)
            {
                await Task.Delay(25);
            }
        }

        return false;
    }
}
