using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>Two farms of GNU Guix, and the configuration of a proxy that demands that both agree.</summary>
internal sealed class GuixStage : IAsyncDisposable
{
    private GuixStage(FakeFarm ci, FakeFarm bordeaux) => (Ci, Bordeaux) = (ci, bordeaux);

    public FakeFarm Ci { get; }

    public FakeFarm Bordeaux { get; }

    public Folder Folder { get; } = new();

    /// <summary>The proxy's signing key.</summary>
    public NixSecretKey Key { get; } = NixSecretKey.Generate("proxy-1");

    /// <summary>The key that clients authorize.</summary>
    public GuixPublicKey ClientKey => GuixSecretKey.Of(Key).PublicKey;

    public static async Task<GuixStage> StartAsync()
    {
        var stage = new GuixStage(await FakeFarm.StartAsync("ci"), await FakeFarm.StartAsync("bordeaux"));
        await File.WriteAllTextAsync(stage.Folder.File("key"), stage.Key.Export());
        return stage;
    }

    /// <summary>Writes the configuration.</summary>
    /// <param name="more">More keys of it, each followed by a comma.</param>
    public string Config(string more = "") => Folder.File("config.json", $$"""
        { "store": "/gnu/store", "stateDirectory": "{{Folder.Path}}/state", "signingKeyFile": "{{Folder.File("key")}}", {{more}}
          "upstreams": [{ "name": "ci", "url": "{{Ci.Url}}" }, { "name": "bordeaux", "url": "{{Bordeaux.Url}}" }],
          "caches": [{ "name": "ci", "url": "{{Ci.Url}}", "publicKeys": ["{{Ci.Key.PublicKey}}"] },
            { "name": "bordeaux", "url": "{{Bordeaux.Url}}", "publicKeys": ["{{Bordeaux.Key.PublicKey}}"] }],
          "policy": { "quorum": 2 } }
        """);

    public async ValueTask DisposeAsync()
    {
        Folder.Dispose();
        await Ci.DisposeAsync();
        await Bordeaux.DisposeAsync();
    }
}
