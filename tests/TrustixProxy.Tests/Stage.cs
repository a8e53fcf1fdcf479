using TrustixProxy.Testing;

namespace TrustixProxy.Tests;

/// <summary>Three logs and an upstream, and the configuration of a proxy over them.</summary>
internal sealed class Stage : IAsyncDisposable
{
    private Stage(TestProxy proxy, string policy)
    {
        Proxy = proxy;
        var logs = new[] { "alice", "bob", "carol" }.Select(name => $$"""{ "name": "{{name}}", "url": "{{proxy.Log(name).Url}}", "publicKey": "{{proxy.Log(name).Log.Signer.Key}}" }""");
        Config = Folder.File("config.json", $$"""
            { "stateDirectory": "{{Folder.Path}}/state", "deadline": "00:00:02", "upstreams": [{ "name": "main",
                "url": "{{proxy.Upstream().Url}}" }], "logs": [{{string.Join(", ", logs)}}], "policy": {{policy}} }
            """);
    }

    public TestProxy Proxy { get; }

    public Folder Folder { get; } = new();

    public string Config { get; }

    /// <summary>The environment of a machine that has no Nix.</summary>
    public Dictionary<string, string> WithoutNix => new() { ["PATH"] = Directory.CreateDirectory(Folder.File("empty")).FullName };

    /// <summary>The same, and a deadline that a busy machine meets too.</summary>
    public Dictionary<string, string> Patient => new(WithoutNix) { ["TRUSTIXPROXY__DEADLINE"] = "00:01:00" };

    public static async Task<Stage> StartAsync(string policy = """{ "quorum": 2 }""") => new(await TestProxy.WithThreeLogsAsync(), policy);

    public void Publish(TestOutput output, params string[] logs) => Proxy.Publish(output, logs);

    /// <summary>The environment of a machine whose Nix has these paths, and has them as the second of each says.</summary>
    public Dictionary<string, string> WithNix(params (TestOutput Path, TestOutput Installed)[] store)
    {
        var bin = Directory.CreateDirectory(Folder.File("bin")).FullName;
        var infos = store.Select(item => $$"""{"path":"{{item.Path.Path.Absolute}}","narHash":"{{item.Installed.Statement.NarHash}}","narSize":{{item.Installed.Statement.NarSize}},"references":[{{string.Join(',', item.Path.Statement.References.Select(reference => $"\"{reference.Absolute}\""))}}]}""");
        RunnableFile.WriteScript(Path.Combine(bin, "nix"), $"echo '[{string.Join(',', infos)}]'");
        RunnableFile.WriteScript(Path.Combine(bin, "nix-store"),
            $"[ \"$1\" = -q ] || exit 0\nprintf '%s\\n' {string.Join(' ', store.Select(item => item.Path.Path.Absolute))}");
        return new() { ["PATH"] = bin };
    }

    public async ValueTask DisposeAsync()
    {
        Folder.Dispose();
        if (Directory.Exists(Proxy.StateDirectory))
        {
            await Proxy.DisposeAsync();
        }
    }
}
