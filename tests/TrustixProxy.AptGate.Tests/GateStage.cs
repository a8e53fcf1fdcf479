using System.Collections.Immutable;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using TrustixProxy.Apt;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Hosting;
using TrustixProxy.AptGate.Rebuilders;
using TrustixProxy.AptGate.Storage;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Tests;

/// <summary>A gate before an archive, with two rebuilders.</summary>
internal sealed class GateStage : IAsyncDisposable
{
    private readonly TestFolder _folder = new();
    private readonly NixSecretKey _key = NixSecretKey.Generate("gate-1");
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(60) };
    private WebApplication? _gate;

    public required FakeArchive Archive { get; init; }

    public required FakeArchive Second { get; init; }

    public required FakeRebuilder Alice { get; init; }

    public required FakeRebuilder Bob { get; init; }

    public Uri Url => new(_gate!.Urls.Single());

    public Uri Operations => new(AptGateHost.OperationsUrls(_gate!).Single());

    public string State => _folder.Path;

    /// <param name="adjust">Changes the options before the gate starts.</param>
    public static async Task<GateStage> StartAsync(
        Func<AptGateOptions, AptGateOptions>? adjust = null, ImmutableArray<PolicyException>? exceptions = null, bool isReport = false)
    {
        var stage = new GateStage
        {
            Archive = await FakeArchive.StartAsync(),
            Second = await FakeArchive.StartAsync(),
            Alice = await FakeRebuilder.StartAsync(),
            Bob = await FakeRebuilder.StartAsync(),
        };
        await stage.RestartAsync(adjust, exceptions, isReport);
        return stage;
    }

    /// <summary>Starts the gate, again if it runs, on the same state.</summary>
    public async Task RestartAsync(
        Func<AptGateOptions, AptGateOptions>? adjust = null, ImmutableArray<PolicyException>? exceptions = null, bool isReport = false,
        TimeProvider? time = null)
    {
        await StopAsync();
        ImmutableArray<RebuilderOptions> rebuilders = [OptionsOf("alice", Alice), OptionsOf("bob", Bob)];
        var options = new AptGateOptions
        {
            Listen = ["http://127.0.0.1:0"],
            OperationsListen = ["http://127.0.0.1:0"],
            StateDirectory = State,
            SigningKey = _key,
            Archives = [new("debian", Archive.Url), new("second", Second.Url)],
            Rebuilders = rebuilders,
            Policy = new Policy(rebuilders.Select(rebuilder => rebuilder.Elector), 2)
            {
                Exceptions = exceptions ?? [],
                ServesContentAddressed = false,
                Fallback = isReport ? "archive" : null,
            },
            Store = new FileStoreOptions(Path.Combine(State, "files"), 64 << 20),
            Deadline = TimeSpan.FromSeconds(20),
        };
        _gate = AptGateHost.Create(adjust?.Invoke(options) ?? options, time: time);
        await _gate.StartAsync();
    }

    /// <summary>Puts a package into an archive, and into its index, which the gate has read when this returns.</summary>
    public async Task<(string Path, byte[] Content)> AddAsync(
        string name, string version = "1.0-1", int size = 300_000, FakeArchive? archive = null, string says = "GOOD GOOD")
    {
        var to = archive ?? Archive;
        var content = ContentOf(size);
        var path = PathOf(name, version);
        to.Files["/" + path] = content;
        Say(path, Digest.Of(content), says);
        await PassIndexAsync(to, (name, version, path, content));
        return (path, content);
    }

    /// <summary>Has both rebuilders say something of a file.</summary>
    public void Say(string path, Digest sha256, string says)
    {
        var file = path[(path.LastIndexOf('/') + 1)..];
        Alice.Say(file, sha256, says.Split(' ')[0]);
        Bob.Say(file, sha256, says.Split(' ')[1]);
    }

    /// <summary>Has an index with these packages pass by its hash.</summary>
    public async Task PassIndexAsync(FakeArchive archive, params (string Name, string Version, string Path, byte[] Content)[] packages)
    {
        var path = Publish(
            archive, string.Concat(packages.Select(package => Stanza(package.Name, package.Version, package.Path, package.Content))));
        using var answer = await GetAsync($"/{NameOf(archive)}{path}");
        Assert.Equal(200, (int)answer.StatusCode);
    }

    /// <summary>Puts an index into an archive by its hash; returns its path.</summary>
    public static string Publish(FakeArchive archive, string text, string folder = "/dists/sid/main/binary-amd64")
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var path = $"{folder}/by-hash/SHA256/{Digest.Of(bytes)}";
        archive.Files[path] = bytes;
        return path;
    }

    public static string Stanza(string name, string version, string path, byte[] content) => $"""
        Package: {name}
        Version: {version}
        Architecture: amd64
        Filename: {path}
        Size: {content.Length}
        SHA256: {Digest.Of(content)}


        """;

    public static byte[] ContentOf(int size) =>
        [.. "!<arch>\ndebian-binary   "u8, .. RandomNumberGenerator.GetBytes(Math.Max(1, size - 24))];

    public static string PathOf(string name, string version) =>
        $"pool/main/{name[0]}/{name}/{name}_{version[(version.IndexOf(':', StringComparison.Ordinal) + 1)..]}_amd64.deb";

    public string NameOf(FakeArchive archive) => archive == Archive ? "debian" : "second";

    public Task<HttpResponseMessage> GetAsync(string target, Action<HttpRequestMessage>? adjust = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Url, target));
        adjust?.Invoke(request);
        return _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    public async Task<string> OperateAsync(string target)
    {
        using var answer = await _http.GetAsync(new Uri(Operations, target));
        return await answer.Content.ReadAsStringAsync();
    }

    /// <summary>Sends bytes as they are; returns the first line of the answer.</summary>
    public async Task<string> SendRawAsync(string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(Url.Host, Url.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request));
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadLineAsync() ?? "";
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await Archive.DisposeAsync();
        await Second.DisposeAsync();
        await Alice.DisposeAsync();
        await Bob.DisposeAsync();
        _http.Dispose();
        _folder.Dispose();
    }

    private async Task StopAsync()
    {
        if (_gate is not null)
        {
            await _gate.StopAsync();
            await _gate.DisposeAsync();
        }
    }

    private static RebuilderOptions OptionsOf(string name, FakeRebuilder rebuilder) =>
        new(new Rebuilder(name, name, RebuilderKey.TryParse(rebuilder.KeyText, out var key, out _) ? key : null!), rebuilder.Url);
}
