using System.Diagnostics;
using System.Text.Json;
using TrustixProxy.Testing;

namespace TrustixProxy.Benchmarks;

/// <summary>The proxy as users run it: a process of its own, over the state of a <see cref="SeededState"/>.</summary>
internal sealed class ServeProcess : IDisposable
{
    private ServeProcess(Process process, Uri url) => (Measured, Url) = (new MeasuredProcess(process), url);

    private static readonly JsonSerializerOptions WithoutNulls =
        new() { DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull };

    public Uri Url { get; }

    public MeasuredProcess Measured { get; }

    public static async Task<ServeProcess> StartAsync(
        SeededState state, Uri upstream, string? narStore = null, object? limits = null, FakeBucket? bucket = null)
    {
        var config = Path.Combine(state.Directory, "proxy.json");
        await File.WriteAllTextAsync(config, JsonSerializer.Serialize(new
        {
            listen = new[] { "http://127.0.0.1:0" },
            operations = new { listen = new[] { "http://127.0.0.1:0" } },
            stateDirectory = state.Directory,
            logs = state.Logs.Select(
                log => new { name = log.Name, url = "http://127.0.0.1:1", publicKey = Convert.ToBase64String(log.Key.Bytes.ToArray()) }),
            upstreams = new[] { new { name = SeededState.Upstream, url = upstream } },
            narStore = narStore is null ? null : new
            {
                directory = narStore,
                s3 = bucket is null ? null : new { url = bucket.Url, bucket = FakeBucket.Name, region = FakeBucket.Region },
            },
            limits,
        }, WithoutNulls));
        var process = MeasuredProcess.Program(["serve", "--config", config]);
        while (await process.StandardError.ReadLineAsync() is { } line)
        {
            if (line.Split(" at ") is ["serving", var url])
            {
                _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null);
                return new ServeProcess(process, new Uri(url));
            }
        }

        throw new InvalidOperationException("the proxy did not start");
    }

    public void Dispose() => Measured.Dispose();
}
