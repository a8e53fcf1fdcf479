using System.Text;
using System.Text.RegularExpressions;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;
using TrustixProxy.Testing;

namespace TrustixProxy.Container;

/// <summary>The image, built as <c>docker/README.md</c> says, and the tour that runs from it.</summary>
/// <remarks>One file beside <c>compose.yaml</c> has what differs here: builds take this machine's network, and the proxy's upstream is a
/// folder, as there is no public cache in the network of the tests.</remarks>
public sealed partial class Tour : IAsyncLifetime
{
    private Engine? _engine;

    internal Engine Engine => _engine ?? throw new InvalidOperationException("The tour has not started.");

    internal string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("trustix-container-").FullName;

    /// <summary>The upstream's folder.</summary>
    internal string Cache => Path.Combine(Directory, "cache");

    public async Task InitializeAsync()
    {
        if (!Engine.IsAtHand)
        {
            return;
        }

        System.IO.Directory.CreateDirectory(Path.Combine(Cache, "nar"));
        System.IO.Directory.CreateDirectory(Path.Combine(Directory, "spool"));
        await File.WriteAllTextAsync(Path.Combine(Cache, "nix-cache-info"), "StoreDir: /nix/store\n");
        await File.WriteAllTextAsync(Path.Combine(Directory, "here.yaml"), $$"""
            services:
              setup:
                build:
                  network: host
              proxy:
                environment:
                  TRUSTIXPROXY__UPSTREAMS__0__URL: "file:///cache"
                volumes:
                  - "{{Cache}}:/cache:ro"
            """);
        (await Engine.BuildAsync(Directory, Compose("build"))).OrThrow();
        _engine = await Engine.StartAsync(Directory);
        (await Engine.RunAsync(Compose("up", "--no-build", "--detach"))).OrThrow();
        await Eventually.UntilAsync(async () => await StateAsync("proxy", "{{.State.Health.Status}}") is "healthy", 60);
    }

    public async Task DisposeAsync()
    {
        if (_engine is not null)
        {
            await Engine.RunAsync(Compose("down", "--volumes", "--timeout", "20"));
            await Engine.RunAsync("image", "prune", "--force");
            await Engine.RunAsync("builder", "prune", "--force", "--keep-storage", "3GB");
            await Engine.DisposeAsync();
        }

        System.IO.Directory.Delete(Directory, recursive: true);
    }

    /// <summary>Runs <c>docker compose</c> with the tour.</summary>
    internal async Task<string> ComposeAsync(params string[] words) => (await Engine.RunAsync(Compose(words))).OrThrow().Output;

    /// <summary>A field of a service's container.</summary>
    internal async Task<string> StateAsync(string service, string format) =>
        (await Engine.RunAsync("inspect", "--format", format, $"trustix-{service}-1")).OrThrow().Output.Trim();

    /// <summary>What a listener of the tour answers a program on this machine: the status and all the rest.</summary>
    internal async Task<(string Status, string Text)> GetAsync(string url)
    {
        var answer = await Engine.RunBesideAsync(null, "curl", "--silent", "--show-error", "--include", "--max-time", "30", url);
        return (answer.Output.Split(' ', 3) is [_, var status, ..] ? status : $"{answer}", answer.Output);
    }

    /// <summary>Puts a build's NAR into the upstream, and has these builders' publishers give their logs what a hook would leave.</summary>
    internal async Task PublishAsync(TestOutput output, params string[] builders)
    {
        var info = output.NarInfo();
        await File.WriteAllBytesAsync(Path.Combine(Cache, info.Url), output.File("none"));
        await File.WriteAllBytesAsync(Path.Combine(Cache, $"{output.Path.Digest}.narinfo"), Encoding.UTF8.GetBytes(info.ToString()!));
        foreach (var builder in builders)
        {
            var spool = Path.Combine(Directory, builder is "alice" ? "spool" : $"spool-{builder}");
            var derivation = TestOutput.PathOf($"{output.Path.Name}.drv");
            Spool.Queue(spool, $"{derivation.Digest}", derivation, [new DescribedOutput(output.Statement, IsBuiltHere: true, null)]);
            if (builder is not "alice")
            {
                await ComposeAsync("run", "--rm", "--no-deps", "--env", $"TRUSTIXPROXY__LOG__URL=http://{builder}:8091",
                    "--env", "TRUSTIXPROXY__SPOOLDIRECTORY=/other", "--volume", $"{spool}:/other", "publisher",
                    "publish", "--once", "--config", $"/config/{builder}/trustix-publish.json");
            }

            await Eventually.UntilAsync(() => System.IO.Directory.GetFiles(spool, "*.job").Length is 0);
        }
    }

    /// <summary>The lines for <c>nix.conf</c> that the setup has printed.</summary>
    internal async Task<string> NixConfAsync()
    {
        var lines = Setting.Matches(await ComposeAsync("logs", "--no-log-prefix", "setup")).Select(match => match.Value).ToList();
        return lines.Count is 2 ? string.Join('\n', lines) : throw new InvalidOperationException(string.Join('\n', lines));
    }

    private string[] Compose(params string[] words) =>
        ["compose", "-f", Path.Combine(Repository.Root, "docker/compose.yaml"), "-f", Path.Combine(Directory, "here.yaml"), .. words];

    [GeneratedRegex("(?:substituters|trusted-public-keys) = \\S+")]
    private static partial Regex Setting { get; }
}

[CollectionDefinition(Name)]
public sealed class TourCollection : ICollectionFixture<Tour>
{
    public const string Name = "Tour";
}
