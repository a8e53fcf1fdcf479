using TrustixProxy.Apt.RealClients;

namespace TrustixProxy.Benchmarks;

/// <summary>An archive and rebuilders that are away, and servers on loopback through which an apt gets packages.</summary>
/// <param name="lab">Where everything is.</param>
/// <param name="folder">The archive.</param>
/// <param name="archive">Where the archive is.</param>
/// <param name="rebuilders">The rebuilders, and where they are.</param>
internal sealed class AptStage(
    string lab, ArchiveFolder folder, DelayRelay archive, IReadOnlyList<(AptRebuilder Server, DelayRelay Relay)> rebuilders) : IDisposable
{
    private int _servers;

    /// <summary>Through nginx with a cache.</summary>
    public async Task<Times> NginxAsync()
    {
        var directory = NewDirectory();
        using var nginx = await Nginx.StartAsync(directory, directory, archive.Url);
        return await MeasureAsync(nginx.Cache.ToString());
    }

    /// <summary>Through apt-cacher-ng; null where it does not run.</summary>
    public async Task<Times?> CacherAsync()
    {
        using var cacher = await AptCacher.StartAsync(NewDirectory());
        return cacher is null ? null : await MeasureAsync($"{cacher.Url}{archive.Url.Authority}");
    }

    /// <summary>Through the gate, whose requests to rebuilders are counted.</summary>
    public async Task<Times> GateAsync(Figures figures, bool isLast)
    {
        var directory = NewDirectory();
        foreach (var (server, _) in rebuilders)
        {
            server.Forget();
        }

        using var gate = await ProxyProcess.StartAsync(directory, new
        {
            listen = new[] { "http://127.0.0.1:0" },
            operations = new { listen = Array.Empty<string>() },
            stateDirectory = directory,
            archives = new[] { new { name = "debian", url = archive.Url.ToString().TrimEnd('/') } },
            rebuilders = rebuilders.Select((one, i) => new { name = $"r{i}", url = one.Relay.Url, publicKey = one.Server.PublicKey }),
            policy = new { quorum = rebuilders.Count },
        }, verb: ["apt", "serve"]);
        var times = await MeasureAsync(new Uri(gate.Url, "debian").ToString());
        if (isLast)
        {
            figures.AtMost("requests of one package to a rebuilder, the most", rebuilders.Max(one => one.Server.MostRequestsOfOne), "", 2);
            figures.AtMost("requests to a rebuilder at once, the most", rebuilders.Max(one => one.Server.MostAtOnce), "", 4);
            Figures.Show("requests to a rebuilder, in all", rebuilders.Max(one => one.Server.Requests), "");
            figures.AtMost("memory, the most", gate.Memory.Most, "MB", 150);
            Figures.Show("memory at the end", gate.Memory.Now, "MB");
        }

        return times;
    }

    public void Dispose()
    {
        archive.Dispose();
        foreach (var (_, relay) in rebuilders)
        {
            relay.Dispose();
        }
    }

    /// <summary>Has two machines get all packages, one after the other.</summary>
    private async Task<Times> MeasureAsync(string url) => new(await DownloadAsync(url), await DownloadAsync(url));

    /// <summary>Has a new machine download all packages; its lists are up to date, and it unpacks nothing.</summary>
    private async Task<double> DownloadAsync(string url)
    {
        var client = await AptClient.MakeAsync(lab, AptFolder.AtHand!, folder, url);
        (await client.UpdateAsync()).Result.OrThrow();
        var result = await client.RunAsync(["install", "-y", "--download-only", .. folder.Packages.Select(package => package.Name)]);
        result.Result.OrThrow();
        Directory.Delete(client.Root, recursive: true);
        return result.Took.TotalSeconds;
    }

    private string NewDirectory() => Directory.CreateDirectory(Path.Combine(lab, $"server-{_servers++}")).FullName;
}
