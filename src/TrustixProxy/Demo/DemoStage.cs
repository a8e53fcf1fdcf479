using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.LogNode.Hosting;
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

/// <summary>Three logs, a cache and the proxy, on loopback ports of their own.</summary>
internal sealed class DemoStage : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _parts = [];
    private readonly Dictionary<string, LogSubmitter> _submitters = [];
    private readonly HttpClient _client = new();

    private readonly List<LogOptions> _logs = [];
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

    /// <summary>Starts the logs and the cache.</summary>
    public static async Task<DemoStage> StartAsync(string directory, CancellationToken cancellation)
    {
        var stage = new DemoStage(await DemoCache.StartAsync(cancellation), directory);
        foreach (var name in new[] { "alice", "bob", "mallory" })
        {
            await stage.StartLogAsync(name, cancellation);
        }

        return stage;
    }

    /// <summary>Starts the proxy over them: two of the three must agree.</summary>
    public async Task StartProxyAsync(CancellationToken cancellation)
    {
        var proxy = SubstituterHost.Create(
            new SubstituterOptions
            {
                FrontDoor = new FrontDoorOptions { Listen = ["http://127.0.0.1:0"] },
                StateDirectory = Make("proxy"),
                SigningKey = _key,
                Policy = new Policy(_logs.Select(log => log.Elector), quorum: 2),
                Logs = [.. _logs],
                Upstreams = [new UpstreamOptions("cache", new Uri(Cache.Url), 40)],
            },
            Quiet);
        _parts.Insert(0, proxy);
        await proxy.StartAsync(cancellation);
        ProxyUrl = proxy.Urls.Single();
    }

    /// <summary>Has a builder submit what it says it built to its own log.</summary>
    public async Task TellAsync(string log, IReadOnlyCollection<BuildStatement> statements, CancellationToken cancellation) =>
        await _submitters[log].SubmitAsync(await _submitters[log].FindLogAsync(log, cancellation), statements, cancellation);

    public async Task<DemoAnswer> AskAsync(StorePath path, CancellationToken cancellation)
    {
        using var response = await _client.GetAsync(new Uri($"{ProxyUrl}/{path.Digest}.narinfo"), cancellation);
        var text = await response.Content.ReadAsStringAsync(cancellation);
        var verdict = response.Headers.GetValues("X-Trustix-Decision").Single();
        return new DemoAnswer(verdict, text, response.IsSuccessStatusCode
            && NarInfo.TryParse(Encoding.ASCII.GetBytes(text), out var narInfo, out _) ? narInfo : null);
    }

    /// <summary>A NAR from the proxy; null when it gives none.</summary>
    public async Task<byte[]?> FetchAsync(string url, CancellationToken cancellation)
    {
        using var response = await _client.GetAsync(new Uri($"{ProxyUrl}/{url}"), cancellation);
        return response.IsSuccessStatusCode ? await response.Content.ReadAsByteArrayAsync(cancellation) : null;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var submitter in _submitters.Values)
        {
            submitter.Dispose();
        }

        _client.Dispose();
        foreach (var part in _parts)
        {
            await part.DisposeAsync();
        }
    }

    private async Task StartLogAsync(string name, CancellationToken cancellation)
    {
        var (signer, token) = (new LogSigner(NixSecretKey.Generate(name).Key), NixSecretKey.Generate(name));
        var socket = $"unix:{Path.Combine(_directory, name + ".sock")}";
        var node = LogNodeHost.Create(
            new LogNodeOptions
            {
                Listen = ["http://127.0.0.1:0"],
                PrivateListen = [socket],
                StateDirectory = Make(name),
                Logs = [new HostedLogOptions(name, signer, [token.PublicKey])],
            },
            Quiet);
        _parts.Add(node);
        await node.StartAsync(cancellation);
        _submitters.Add(name, new LogSubmitter(new Uri(socket), token));
        _logs.Add(new LogOptions(new Elector.Log(name, name, signer.Key),
            new Uri(node.Urls.First(url => url.StartsWith("http://127", StringComparison.Ordinal)))));
    }

    private string Make(string name) => Directory.CreateDirectory(Path.Combine(_directory, name)).FullName;

    private static void Quiet(WebApplicationBuilder builder) => builder.Logging.ClearProviders();
}
