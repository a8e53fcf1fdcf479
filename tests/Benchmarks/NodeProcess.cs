using System.Diagnostics;
using System.Text.Json;
using TrustixProxy.Nix;

namespace TrustixProxy.Benchmarks;

/// <summary>The log node as users run it: a process of its own, with one log.</summary>
internal sealed class NodeProcess : IDisposable
{
    private readonly MeasuredProcess _process;

    private NodeProcess(Process process, Uri publicUrl, Uri privateUrl, TimeSpan startup) =>
        (_process, PublicUrl, PrivateUrl, Startup) = (new MeasuredProcess(process), publicUrl, privateUrl, startup);

    public Uri PublicUrl { get; }

    public Uri PrivateUrl { get; }

    /// <summary>From the start of the process until it listens.</summary>
    public TimeSpan Startup { get; }

    /// <summary>CPU time until now.</summary>
    public TimeSpan Cpu => _process.Cpu;

    /// <summary>Bytes read and written until now.</summary>
    public (long Read, long Written) Bytes => _process.Bytes;

    /// <summary>Memory in use, and the most there ever was, in MB.</summary>
    public (double Now, double Most) Memory => _process.Memory;

    /// <param name="policy">File of the log's witnesses, which are asked each second; null for none.</param>
    /// <param name="origin">The log's origin; null for none.</param>
    public static async Task<NodeProcess> StartAsync(string directory, NixSecretKey token, string historyWindow,
        string flushInterval = "00:00:01", string? policy = null, string? origin = null)
    {
        var log = new Dictionary<string, object>
        {
            ["name"] = "bench",
            ["privateKeyFile"] = Path.Combine(directory, "log.key"),
            ["writeTokens"] = new[] { token.PublicKey.ToString() },
        };
        if (origin is not null)
        {
            log["origin"] = origin;
        }

        if (policy is not null)
        {
            log["witnesses"] = new { policyFile = policy, interval = "00:00:01" };
        }

        var config = Path.Combine(directory, "log.json");
        await File.WriteAllTextAsync(config, JsonSerializer.Serialize(new
        {
            listen = new[] { "http://127.0.0.1:0" },
            privateListen = new[] { "http://127.0.0.1:0" },
            stateDirectory = Path.Combine(directory, "state"),
            historyWindow,
            flushInterval,
            logs = new[] { log },
        }));
        var watch = Stopwatch.StartNew();
        var process = MeasuredProcess.Program(["log", "serve", "--config", config]);
        while (await process.StandardError.ReadLineAsync() is { } line)
        {
            if (line.Split(" at ") is ["serving logs", var urls])
            {
                var parts = urls.Split(", ");
                _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null);
                return new NodeProcess(process, new Uri(parts[0]), new Uri(parts[1]), watch.Elapsed);
            }
        }

        throw new InvalidOperationException("the log node did not start");
    }

    public void Dispose() => _process.Dispose();
}
