using System.Text.Json;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.EndToEnd;

/// <summary>A machine that builds: a store of its own, a post-build hook and a spool.</summary>
internal sealed class Builder
{
    private readonly NixLab _lab;
    private readonly string _store;
    private readonly string _expression;

    /// <param name="lab">Where it stands.</param>
    /// <param name="name">The name of its store.</param>
    /// <param name="hook">The post-build hook; the script that we ship when null.</param>
    public Builder(NixLab lab, string name, string? hook = null)
    {
        (_lab, _store) = (lab, name);
        Hook = hook ?? Script;
        Spool = Directory.CreateDirectory(Path.Combine(lab.Directory, $"spool-{name}")).FullName;
        _expression = Path.Combine(lab.Directory, $"{name}.nix");
        Environment = lab.Environment(name, [("post-build-hook", Hook)]);
        Environment["TRUSTIX_SPOOL"] = Spool;
        Environment["NIX_STATE_DIR"] = Path.Combine(lab.Directory, "stores", name, "nix", "var", "nix");
    }

    /// <summary>The hook that we ship.</summary>
    public static string Script { get; } = Path.Combine(AppContext.BaseDirectory, "post-build-hook");

    public string Hook { get; }

    public string Spool { get; }

    /// <summary>What its Nix, and so its hook, runs under.</summary>
    public Dictionary<string, string> Environment { get; }

    public int Jobs => Directory.GetFiles(Spool, "*.job").Length;

    /// <summary>Builds a derivation with these outputs; whatever the hook does, that goes well. Also gives what Nix said.</summary>
    public async Task<(IReadOnlyList<StorePath> Outputs, string Said)> BuildAsync(string name, params string[] outputs)
    {
        await File.WriteAllTextAsync(_expression, $$"""
            derivation {
              name = "{{name}}"; system = builtins.currentSystem; builder = "/bin/sh";
              outputs = [ {{string.Join(' ', outputs.DefaultIfEmpty("out").Select(output => $"\"{output}\""))}} ];
              args = [ "-c" "export PATH=/usr/bin:/bin; for o in $outputs; do eval d=\\$$o; echo {{name}} $out > $d; done" ];
            }
            """);
        var built = (await Shell.RunAsync("nix-build", [_expression, "--no-out-link"], Environment)).OrThrow();
        var derivation = (await Shell.RunAsync("nix-instantiate", [_expression], Environment)).OrThrow();
        var all = (await Shell.RunAsync("nix-store", ["-q", "--outputs", derivation.Output.Trim()], Environment)).OrThrow();
        return ([.. all.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(PathOf)], built.Error);
    }

    /// <summary>Waits until the hook, or its background process, keeps these paths from collection.</summary>
    public Task RootedAsync(IEnumerable<StorePath> paths) =>
        Eventually.UntilAsync(() => paths.All(path => Directory.GetFiles(Spool, $"*.root-{path.Digest}").Length > 0));

    /// <summary>Waits until the hook's background process has had Nix describe all jobs.</summary>
    public async Task DescribedAsync()
    {
        for (var i = 0; i < 600 && Directory.GetFiles(Spool, "*.info").Length < Jobs; i++)
        {
            await Task.Delay(100);
        }

        Assert.True(Jobs == Directory.GetFiles(Spool, "*.info").Length,
            $"not described within a minute: {string.Join(' ', Directory.GetFiles(Spool).Select(Path.GetFileName))}");
    }

    public async Task<bool> CollectAsync(StorePath path)
    {
        (await Shell.RunAsync("nix-store", ["--gc"], Environment)).OrThrow();
        return (await Shell.RunAsync("nix-store", ["--check-validity", path.Absolute], Environment)).Code is not 0;
    }

    /// <summary>Publishes the spool to a log.</summary>
    public async Task<Result> PublishAsync(string log, params string[] exclude)
    {
        var file = Path.Combine(_lab.Directory, $"{Guid.NewGuid():n}.json");
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(
            new { log = new { url = _lab.Log(log).Urls[1], tokenFile = _lab.TokenOf(log), name = log }, spoolDirectory = Spool, exclude }));
        return await Daemon.RunAsync(["publish", "--once", "--config", file], Environment);
    }

    /// <summary>Puts what it has built into a cache.</summary>
    public async Task CopyAsync(string cache, IEnumerable<StorePath> paths) =>
        (await Shell.RunAsync("nix", ["copy", "--to", $"file://{cache}", .. paths.Select(path => path.Absolute)], Environment)).OrThrow();

    private static StorePath PathOf(string text) =>
        StorePath.TryParseAbsolute(text, out var path, out _) ? path : throw new FormatException(text);
}
