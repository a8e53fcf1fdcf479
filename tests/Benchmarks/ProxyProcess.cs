using System.Diagnostics;
using System.Text.Json;

namespace TrustixProxy.Benchmarks;

/// <summary>A log that a measured proxy is told of.</summary>
internal sealed record BenchLog(string Name, Uri Url, string PublicKey, bool IsMirrored = false);

/// <summary>The proxy as users run it: a process of its own.</summary>
internal sealed class ProxyProcess : IDisposable
{
    private readonly MeasuredProcess _process;

    private ProxyProcess(Process process) => _process = new MeasuredProcess(process);

    public Uri Url { get; private set; } = new("http://127.0.0.1");

    /// <summary>Lines that it has written.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<string> Lines { get; } = new();

    public static Task<ProxyProcess> StartAsync(string directory, Uri upstream, IEnumerable<BenchLog> logs) =>
        StartAsync(directory, [("main", upstream)], logs);

    /// <param name="hosts">A file that this process alone sees as <c>/etc/hosts</c>; null for the machine's.</param>
    public static async Task<ProxyProcess> StartAsync(
        string directory, IEnumerable<(string Name, Uri Url)> upstreams, IEnumerable<BenchLog> logs, string? hosts = null)
    {
        Directory.CreateDirectory(Path.Combine(directory, "proxy"));
        var config = Path.Combine(directory, "proxy.json");
        await File.WriteAllTextAsync(config, JsonSerializer.Serialize(new
        {
            listen = new[] { "http://127.0.0.1:0" },
            operations = new { listen = Array.Empty<string>() },
            stateDirectory = Path.Combine(directory, "proxy"),
            upstreams = upstreams.Select(upstream => new { name = upstream.Name, url = upstream.Url.ToString() }),
            logs = logs.Select(log =>
                new { name = log.Name, url = log.Url.ToString(), publicKey = log.PublicKey, mode = log.IsMirrored ? "mirror" : "light" }),
        }));
        var started = new TaskCompletionSource<string>();
        var process = MeasuredProcess.Program(["serve", "--config", config], hosts);
        var proxy = new ProxyProcess(process);
        process.ErrorDataReceived += (_, line) =>
        {
            proxy.Lines.Enqueue(line.Data ?? "");
            if (line.Data?.Split(" at ") is ["serving", var url])
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
