using System.Collections.Immutable;
using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Logs.Client;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Substituter.Composition;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Demo;

/// <summary>What the proxy answers for a path.</summary>
/// <param name="Verdict">The word of <c>X-Trustix-Decision</c>.</param>
/// <param name="NarInfo">The narinfo; null for a refusal.</param>
internal sealed record DemoAnswer(string Verdict, string Text, NarInfo? NarInfo);

/// <summary>Three logs, a cache and the proxy with its dashboard, on loopback ports of their own.</summary>
internal sealed class DemoStage : IAsyncDisposable
{
    private static readonly TimeSpan EvidenceWait = TimeSpan.FromSeconds(20), Look = TimeSpan.FromMilliseconds(20);

    private readonly List<IAsyncDisposable> _parts = [];
    private readonly Dictionary<string, DemoLog> _logs = [];
    private readonly HttpClient _client = new();
    private readonly NixSecretKey _key = NixSecretKey.Generate("demo-trustix-1");
    private readonly string _directory;

    private DemoStage(DemoCache cache, string directory)
    {
        (Cache, _directory) = (cache, directory);
        _parts.Add(cache);
    }

    public DemoCache Cache { get; }

    public NixPublicKey PublicKey => _key.PublicKey;

    public string ProxyUrl { get; private set; } = "";

    public string DashboardUrl { get; private set; } = "";

    /// <summary>A configuration of the same policy, for verbs that check what the demo leaves.</summary>
    public string ConfigFile => Path.Combine(_directory, "config.json");

    /// <summary>Starts the logs and the cache.</summary>
    public static async Task<DemoStage> StartAsync(string directory, CancellationToken cancellation)
    {
        var stage = new DemoStage(await DemoCache.StartAsync(cancellation), directory);
        try
        {
            foreach (var name in new[] { "alice", "bob", "mallory" })
            {
                var log = new DemoLog(name, new LogSigner(NixSecretKey.Generate(name).Key), directory);
                stage._logs.Add(name, log);
                stage._parts.Add(log);
                await log.StartAsync("http://127.0.0.1:0", cancellation);
            }

            return stage;
        }
        catch
        {
            await stage.DisposeAsync(); // what has started would write into a folder that is being deleted
            throw;
        }
    }

    /// <summary>Starts the proxy over them: two of the three must agree. What the logs were told before is in the first heads that it
    /// sees.</summary>
    public async Task StartProxyAsync(CancellationToken cancellation)
    {
        ImmutableArray<LogOptions> logs = [.. _logs.Values.Select(log => new LogOptions(
            new Elector.Log(log.Name, log.Name, log.Key), new Uri(log.Url)))];
        var proxy = SubstituterHost.Create(
            new SubstituterOptions
            {
                FrontDoor = new FrontDoorOptions { Listen = ["http://127.0.0.1:0"] },
                OperationsListen = ["http://127.0.0.1:0"],
                StateDirectory = Directory.CreateDirectory(Path.Combine(_directory, "proxy")).FullName,
                SigningKey = _key,
                Policy = new Policy(logs.Select(log => log.Elector), quorum: 2),
                Logs = logs,
                Upstreams = [new UpstreamOptions("cache", new Uri(Cache.Url), 40)],
            },
            DemoLog.Quiet);
        _parts.Insert(0, proxy);
        await proxy.StartAsync(cancellation);
        (ProxyUrl, DashboardUrl) = (proxy.Urls.Single(), SubstituterHost.OperationsUrlsOf(proxy).Single() + "/");
        await File.WriteAllTextAsync(ConfigFile, $$"""
            {
              "upstreams": [ { "name": "cache", "url": "{{Cache.Url}}" } ],
              "logs": [
                {{string.Join(",\n    ", _logs.Values.Select(log =>
                    $$"""{ "name": "{{log.Name}}", "url": "{{log.Url}}", "publicKey": "{{log.Key}}" }"""))}}
              ],
              "policy": { "quorum": 2 }
            }

            """, cancellation);
    }

    /// <summary>Has a builder submit what it says it built to its own log.</summary>
    public Task TellAsync(string log, IReadOnlyCollection<BuildStatement> statements, CancellationToken cancellation) =>
        _logs[log].TellAsync(statements, cancellation);

    /// <summary>Has a log forget what it said, and say something else at the same address, under the same key.</summary>
    public Task RewriteAsync(string log, IReadOnlyCollection<BuildStatement> statements, CancellationToken cancellation) =>
        _logs[log].RewriteAsync(statements, cancellation);

    /// <summary>Waits until the proxy has written evidence against a log, and checks it as anyone can; null if it does not hold.</summary>
    public async Task<string?> FindEvidenceAsync(string log, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(EvidenceWait);
        var folder = Directory.CreateDirectory(Path.Combine(_directory, "proxy", "evidence"));
        while (true)
        {
            if (folder.GetFiles($"{log}-*.json").FirstOrDefault() is { } file)
            {
                var bytes = await File.ReadAllBytesAsync(file.FullName, cancellation);
                return FaultEvidence.TryVerify(bytes, [_logs[log].Key], out _, out _) ? file.FullName : null;
            }

            await Task.Delay(Look, limit.Token);
        }
    }

    public async Task<DemoAnswer> AskAsync(StorePath path, CancellationToken cancellation)
    {
        using var response = await _client.GetAsync(new Uri($"{ProxyUrl}/{path.Digest}.narinfo"), cancellation);
        var text = await response.Content.ReadAsStringAsync(cancellation);
        var verdict = response.Headers.GetValues("X-Trustix-Decision").Single();
        return new DemoAnswer(verdict, text, response.IsSuccessStatusCode
            && NarInfo.TryParse(Encoding.ASCII.GetBytes(text), out var narInfo, out _) ? narInfo : null);
    }

    /// <summary>A NAR from the proxy; null when it gives none, or cuts it off.</summary>
    public async Task<byte[]?> FetchAsync(string url, CancellationToken cancellation)
    {
        try
        {
            using var response = await _client.GetAsync(new Uri($"{ProxyUrl}/{url}"), cancellation);
            return response.IsSuccessStatusCode ? await response.Content.ReadAsByteArrayAsync(cancellation) : null;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        foreach (var part in _parts)
        {
            await part.DisposeAsync();
        }
    }
}
