using System.Diagnostics;
using System.Text.Json;

namespace TrustixProxy.Benchmarks;

/// <summary>A log that a measured proxy is told of.</summary>
internal sealed record BenchLog(string Name, Uri Url, string PublicKey, bool IsMirrored = false)
{
    /// <summary>Its origin and the policy file of the witnesses that the proxy demands; null for none.</summary>
    public (string Origin, string PolicyFile)? Witnesses { get; init; }

    /// <summary>The log in the proxy's configuration.</summary>
    public Dictionary<string, string> Configuration
    {
        get
        {
            Dictionary<string, string> log = new()
            {
                ["name"] = Name,
                ["url"] = Url.ToString(),
                ["publicKey"] = PublicKey,
                ["mode"] = IsMirrored ? "mirror" : "light",
            };
            if (Witnesses is var (origin, file))
            {
                (log["origin"], log["witnesses"]) = (origin, file);
            }

            return log;
        }
    }
}

/// <summary>The proxy as users run it: a process of its own.</summary>
internal sealed class ProxyProcess : IDisposable
{
    private readonly MeasuredProcess _process;

    private ProxyProcess(Process process) => _process = new MeasuredProcess(process);

    public Uri Url { get; private set; } = new("http://127.0.0.1");

    /// <summary>Memory in use, and the most there ever was, in MB.</summary>
    public (double Now, double Most) Memory => _process.Memory;

    /// <summary>Lines that it has written.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<string> Lines { get; } = new();

    public static Task<ProxyProcess> StartAsync(string directory, Uri upstream, IEnumerable<BenchLog> logs) =>
        StartAsync(directory, [("main", upstream)], logs);

    /// <param name="hosts">A file that this process alone sees as <c>/etc/hosts</c>; null for the machine's.</param>
    public static async Task<ProxyProcess> StartAsync(
        string directory, IEnumerable<(string Name, Uri Url)> upstreams, IEnumerable<BenchLog> logs, string? hosts = null)
    {
        Directory.CreateDirectory(Path.Combine(directory, "proxy"));
        return await StartAsync(directory, new
        {
            listen = new[] { "http://127.0.0.1:0" },
            operations = new { listen = Array.Empty<string>() },
            stateDirectory = Path.Combine(directory, "proxy"),
            upstreams = upstreams.Select(upstream => new { name = upstream.Name, url = upstream.Url.ToString() }),
            logs = logs.Select(log => log.Configuration),
        }, hosts);
    }

    /// <param name="directory">Gets the configuration.</param>
    /// <param name="configuration">The configuration.</param>
    /// <param name="hosts">A file that this process alone sees as <c>/etc/hosts</c>; null for the machine's.</param>
    /// <param name="verb">The verb; <c>serve</c> when null.</param>
    public static async Task<ProxyProcess> StartAsync(
        string directory, object configuration, string? hosts = null, string[]? verb = null)
    {
        Directory.CreateDirectory(directory);
        var config = Path.Combine(directory, "proxy.json");
        await File.WriteAllTextAsync(config, JsonSerializer.Serialize(configuration));
        var started = new TaskCompletionSource<string>();
        var process = MeasuredProcess.Program([.. verb ?? ["serve"], "--config", config], hosts);
        var proxy = new ProxyProcess(process);
        process.ErrorDataReceived += (_, line) =>
        {
            proxy.Lines.Enqueue(line.Data ?? "");
            if (line.Data?.Split(" at ") is [var serving, var url] && serving.StartsWith("serving", StringComparison.Ordinal))
            {
                started.TrySetResult(url);
            }
            else if (line.Data is null)
            {
                started.TrySetException(new InvalidOperationException($"the proxy did not start: {string.Join('\n', proxy.Lines)}"));
            }
        };
        process.BeginErrorReadLine();
        proxy.Url = new Uri(await started.Task);
        return proxy;
    }

    public void Dispose() => _process.Dispose();
}
