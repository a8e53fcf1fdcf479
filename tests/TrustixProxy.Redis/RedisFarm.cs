using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Redis;

/// <summary>Real Redis servers as organisations run them, each in a folder of its own: behind Sentinels, as a Cluster, or one with
/// settings.</summary>
internal sealed class RedisFarm : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("trustix-farm-").FullName;
    private readonly Dictionary<int, Process> _processes = [];
    private readonly Dictionary<int, string[]> _words = []; // what each was started with
    private readonly List<ConnectionMultiplexer> _connections = [];

    /// <summary>The proxies' <c>redis.configuration</c>.</summary>
    public string Configuration { get; private set; } = "";

    /// <summary>Ports of the servers; of Sentinels only those that hold data.</summary>
    public List<int> Ports { get; } = [];

    public string Folder => _folder;

    /// <summary>One server with settings.</summary>
    public static async Task<RedisFarm> OneAsync(string configuration, params string[] settings)
    {
        var farm = new RedisFarm { Configuration = configuration };
        var port = farm.Start(settings);
        farm.Ports.Add(port);
        farm.Configuration = configuration.Replace("PORT", $"{port}", StringComparison.Ordinal)
            .Replace("FOLDER", farm._folder, StringComparison.Ordinal);
        return farm;
    }

    /// <summary>A primary and a replica with a password, watched by three Sentinels without one.</summary>
    public static async Task<RedisFarm> SentinelAsync(string password)
    {
        var farm = new RedisFarm();
        var primary = await farm.StartByFileAsync("first.conf", $"requirepass {password}", $"masterauth {password}");
        var replica = await farm.StartByFileAsync(
            "second.conf", $"requirepass {password}", $"masterauth {password}", $"replicaof 127.0.0.1 {primary}");
        farm.Ports.AddRange([primary, replica]);
        var admin = farm.Connect(primary, password);
        await UntilAsync(async () => $"{await admin.ExecuteAsync("INFO", "replication")}".Contains(
            "state=online", StringComparison.Ordinal));
        List<int> sentinels = [];
        for (var i = 0; i < 3; i++)
        {
            var file = Path.Combine(farm._folder, $"sentinel-{i}.conf");
            await File.WriteAllTextAsync(file, $"""
                dir {farm._folder}
                sentinel monitor shared 127.0.0.1 {primary} 2
                sentinel auth-pass shared {password}
                sentinel down-after-milliseconds shared 1000
                sentinel failover-timeout shared 5000

                """);
            sentinels.Add(farm.Start(file, "--sentinel"));
        }

        farm.Configuration = string.Join(',', sentinels.Select(port => $"127.0.0.1:{port}")) + ",serviceName=shared";
        foreach (var port in sentinels)
        {
            await UpAsync(port);
            await UntilAsync(async () => (await SentinelSaysAsync(port, "ckquorum")).StartsWith("OK 3 ", StringComparison.Ordinal));
            await UntilAsync(async () => (await SentinelSaysAsync(port, "replicas")).Contains($":{replica}\n", StringComparison.Ordinal));
        }

        return farm;
    }

    /// <summary>Three primaries; a part of the keys may be missing.</summary>
    public static async Task<RedisFarm> ClusterAsync()
    {
        var farm = new RedisFarm();
        for (var i = 0; i < 3; i++)
        {
            farm.Ports.Add(farm.Start("--cluster-enabled", "yes", "--cluster-config-file", $"nodes-{i}.conf",
                "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"));
            await UpAsync(farm.Ports[i]);
        }

        var places = farm.Ports.Select(port => $"127.0.0.1:{port}").ToList();
        (await Shell.RunAsync("redis-cli", ["--cluster", "create", .. places, "--cluster-yes"])).OrThrow();
        foreach (var port in farm.Ports)
        {
            var node = farm.Connect(port);
            await UntilAsync(async () => $"{await node.ExecuteAsync("CLUSTER", "INFO")}".Contains(
                "cluster_state:ok", StringComparison.Ordinal));
        }

        farm.Configuration = string.Join(',', places.Take(2)); // the third is found
        return farm;
    }

    /// <summary>Returns the database of a server.</summary>
    public IDatabase Connect(int port, string? password = null) => ServerOf(port, password).Multiplexer.GetDatabase();

    /// <summary>All keys of a server that match; none while it does not answer.</summary>
    public List<RedisKey> Keys(int port, string pattern, string? password = null)
    {
        try
        {
            return [.. ServerOf(port, password).Keys(pattern: pattern, pageSize: 1000)];
        }
        catch (RedisException)
        {
            return []; // as while Sentinel makes it a primary, which ends its connections
        }
    }

    public async Task KillAsync(int port)
    {
        _processes[port].Kill();
        await _processes[port].WaitForExitAsync();
    }

    /// <summary>Starts a server again that was killed; it has nothing in it.</summary>
    public async Task ReviveAsync(int port)
    {
        _processes[port].Dispose();
        Run(port);
        await UpAsync(port);
    }

    public async Task SignalAsync(int port, string signal) => (await Shell.RunAsync("kill", [signal, $"{_processes[port].Id}"])).OrThrow();

    public async ValueTask DisposeAsync()
    {
        _connections.ForEach(connection => connection.Dispose());
        foreach (var (port, process) in _processes)
        {
            if (!process.HasExited)
            {
                await KillAsync(port);
            }

            process.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Waits until a server answers, whatever it says.</summary>
    public static Task UpAsync(int port) => UntilAsync(async () =>
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, port);
            await client.GetStream().WriteAsync("PING\r\n"u8.ToArray());
            return await client.GetStream().ReadAsync(new byte[16]) > 0;
        }
        catch (Exception exception) when (exception is SocketException or IOException)
        {
            return false;
        }
    });

    /// <summary>What a Sentinel knows of the servers; the library does not talk to one alone.</summary>
    private static async Task<string> SentinelSaysAsync(int port, string what) =>
        (await Shell.RunAsync("redis-cli", ["-p", $"{port}", "sentinel", what, "shared"])).Output;

    /// <summary>Returns a server, for commands to it alone.</summary>
    public IServer ServerOf(int port, string? password)
    {
        var place = $"127.0.0.1:{port}";
        var known = _connections.Find(connection => connection.Configuration.StartsWith(place, StringComparison.Ordinal));
        if (known is null)
        {
            var secret = password is null ? "" : $",password={password}";
            known = ConnectionMultiplexer.Connect($"{place},allowAdmin=true,abortConnect=false{secret}");
            _connections.Add(known);
        }

        return known.GetServer(place);
    }

    /// <summary>Starts a server that Sentinel may make a primary or a replica: its file then says so, and it is one when it is revived.
    /// Were it what it was at first, both could be replicas, each of the other.</summary>
    private async Task<int> StartByFileAsync(string name, params string[] lines)
    {
        var file = Path.Combine(_folder, name);
        await File.WriteAllLinesAsync(file, lines);
        var port = Start(file);
        await UpAsync(port);
        return port;
    }

    private int Start(params string[] settings)
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();
        if (port > 55_000)
        {
            return Start(settings); // a Cluster's bus has the port 10000 above
        }

        string[] places = settings.Contains("--tls-port") ? ["--port", "0", .. settings.Select(
            setting => setting is "TLSPORT" ? port.ToString(CultureInfo.InvariantCulture) : setting)] : [.. settings, "--port", $"{port}"];
        _words[port] = [.. places.Select(setting => setting.Replace("FOLDER", _folder, StringComparison.Ordinal)), "--bind", "127.0.0.1",
            "--dir", _folder, .. settings.Contains("--sentinel") ? Array.Empty<string>() : ["--save", "", "--appendonly", "no"]];
        Run(port);
        return port;
    }

    private void Run(int port)
    {
        var process = Process.Start(new ProcessStartInfo("redis-server", _words[port]) { RedirectStandardOutput = true })!;
        process.BeginOutputReadLine();
        _processes[port] = process;
    }
}
