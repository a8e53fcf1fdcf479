using System.Text.Json;
using System.Text.Json.Nodes;

namespace TrustixProxy.Apt.RealClients;

/// <summary>The program between apt and an archive.</summary>
internal sealed class Gate : IAsyncDisposable
{
    private readonly Daemon _daemon;

    private Gate(Daemon daemon, string configuration) => (_daemon, Configuration) = (daemon, configuration);

    /// <summary>Where apt finds the archive.</summary>
    public string Archive => $"{_daemon.Urls[0].TrimEnd('/')}/debian";

    /// <summary>The file of its configuration.</summary>
    public string Configuration { get; }

    /// <summary>What it has written.</summary>
    public string Lines => _daemon.Lines;

    /// <summary>Starts it in front of an archive.</summary>
    /// <param name="lab">Gets its state.</param>
    /// <param name="archive">The archive's address.</param>
    /// <param name="rebuilders">Names, addresses and public keys.</param>
    /// <param name="change">Changes the configuration.</param>
    public static async Task<Gate> StartAsync(string lab, Uri archive,
        IReadOnlyCollection<(string Name, string Url, string PublicKey)> rebuilders, Action<JsonObject>? change = null)
    {
        var state = Directory.CreateDirectory(Path.Combine(lab, $"gate-{Guid.NewGuid():n}")).FullName;
        var configuration = JsonSerializer.SerializeToNode(new
        {
            listen = new[] { "http://127.0.0.1:0" },
            operations = new { listen = Array.Empty<string>() },
            stateDirectory = state,
            archives = new[] { new { name = "debian", url = archive.ToString().TrimEnd('/') } },
            rebuilders = rebuilders.Select(one => new { name = one.Name, url = one.Url, publicKey = one.PublicKey }),
            policy = new { quorum = rebuilders.Count },
        })!.AsObject();
        change?.Invoke(configuration);
        var file = Path.Combine(state, "gate.json");
        await File.WriteAllTextAsync(file, configuration.ToJsonString());
        return new Gate(await Daemon.StartAsync(["apt", "serve"], state, configuration), file);
    }

    public ValueTask DisposeAsync() => _daemon.DisposeAsync();
}
