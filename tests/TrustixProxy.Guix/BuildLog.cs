using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;

namespace TrustixProxy.Guix;

/// <summary>A Trustix log for what one machine builds, and the publisher that fills it.</summary>
internal sealed class BuildLog : IAsyncDisposable
{
    private readonly string _folder, _publicKey;
    private readonly Daemon _node;

    private BuildLog(string folder, string publicKey, Daemon node) => (_folder, _publicKey, _node) = (folder, publicKey, node);

    /// <summary>What a verb that submits by hand is told.</summary>
    public IEnumerable<string> Arguments => ["--url", _node.Urls[1], "--token-file", Path.Combine(_folder, "token")];

    public static async Task<BuildLog> StartAsync(string directory)
    {
        var folder = Directory.CreateDirectory(Path.Combine(directory, $"log-{Guid.NewGuid():n}")).FullName;
        var (key, token) = (Path.Combine(folder, "key"), Path.Combine(folder, "token"));
        var publicKey = (await Daemon.RunAsync(["keygen", key, "--name", "dora"])).OrThrow().Output.Trim().Split(':')[1];
        (await Daemon.RunAsync(["keygen", token, "--name", "builder"])).OrThrow();
        var writer = NixSecretKey.TryParse((await File.ReadAllTextAsync(token)).Trim(), out var secret, out _)
            ? $"{secret.PublicKey}" : throw new InvalidOperationException(token);
        return new BuildLog(folder, publicKey, await Daemon.StartAsync(["log", "serve"], folder, new
        {
            listen = new[] { "http://127.0.0.1:0" },
            privateListen = new[] { "http://127.0.0.1:0" },
            stateDirectory = folder,
            logs = new[] { new { name = "dora", privateKeyFile = key, writeTokens = new[] { writer } } },
        }));
    }

    /// <summary>Publishes what a machine has built since the last time; the first time nothing.</summary>
    public async Task<Result> PublishAsync(Machine machine)
    {
        var file = Path.Combine(_folder, "publish.json");
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new
        {
            store = "/gnu/store",
            guixState = machine.PathOf("var"),
            spoolDirectory = Directory.CreateDirectory(machine.PathOf("spool")).FullName,
            log = new { url = _node.Urls[1], tokenFile = Path.Combine(_folder, "token") },
        }));
        return await Daemon.RunAsync(["publish", "--once", "--config", file]);
    }

    /// <summary>Has a proxy demand that the log and its farms agree.</summary>
    public void AddTo(JsonObject configuration)
    {
        var vote = new { name = "dora", url = _node.Urls[0], publicKey = _publicKey };
        configuration["logs"] = JsonSerializer.SerializeToNode(new[] { vote });
        configuration["policy"]!["quorum"] = configuration["policy"]!["quorum"]!.GetValue<int>() + 1;
    }

    public ValueTask DisposeAsync() => _node.DisposeAsync();
}
