using System.Text.Json;
using System.Text.Json.Nodes;

namespace TrustixProxy.Guix;

/// <summary>The proxy before farms, with the key that Guix clients authorize.</summary>
internal sealed class GuixProxy : IAsyncDisposable
{
    private readonly Proxy _proxy;

    private GuixProxy(Proxy proxy, string configuration, string signingKey) =>
        (_proxy, Configuration, SigningKey) = (proxy, configuration, signingKey);

    public string Url => _proxy.Url;

    /// <summary>Its public key, an S-expression.</summary>
    public string PublicKey => _proxy.PublicKey;

    /// <summary>The file of its configuration.</summary>
    public string Configuration { get; }

    /// <summary>The file of the key that it signs with.</summary>
    public string SigningKey { get; }

    /// <summary>Starts a proxy that demands that these farms agree.</summary>
    /// <param name="directory">Gets its state.</param>
    /// <param name="farms">The farms: addresses and public keys.</param>
    /// <param name="change">Changes the configuration.</param>
    public static async Task<GuixProxy> StartAsync(
        string directory, IReadOnlyCollection<(string Url, string PublicKey)> farms, Action<JsonObject>? change = null)
    {
        var state = Directory.CreateDirectory(Path.Combine(directory, $"proxy-{Guid.NewGuid():n}")).FullName;
        var key = Path.Combine(state, "key");
        (await Daemon.RunAsync(["keygen", key, "--name", "proxy-guix-1"])).OrThrow();
        var publicKey = (await Daemon.RunAsync(["keygen", "--guix", key])).OrThrow().Output;
        var configuration = JsonSerializer.SerializeToNode(new
        {
            store = "/gnu/store",
            listen = new[] { "http://127.0.0.1:0" },
            operations = new { listen = Array.Empty<string>() },
            stateDirectory = state,
            signingKeyFile = key,
            upstreams = farms.Select((farm, i) => new { name = $"farm{i}", url = farm.Url }),
            caches = farms.Select((farm, i) => new { name = $"farm{i}", url = farm.Url, publicKeys = new[] { farm.PublicKey } }),
            policy = new { quorum = farms.Count },
        })!.AsObject();
        change?.Invoke(configuration);
        var file = Path.Combine(state, "serve.json");
        await File.WriteAllTextAsync(file, configuration.ToJsonString());
        return new GuixProxy(await Proxy.StartAsync(directory, publicKey, configuration), file, key);
    }

    /// <summary>What it answers to a question for a path's narinfo.</summary>
    public Task<(int Status, string? Decision, string Text)> AskAsync(string output) =>
        _proxy.AskAsync($"{Path.GetFileName(output)[..32]}.narinfo");

    public Task<(int Status, string? Decision, string Text)> AskPathAsync(string path) => _proxy.AskAsync(path);

    public ValueTask DisposeAsync() => _proxy.DisposeAsync();
}
