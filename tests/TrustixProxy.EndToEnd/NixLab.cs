using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;

namespace TrustixProxy.EndToEnd;

/// <summary>A real Nix, a store of its own with things that it has built, and three log nodes that know of them. Nothing outside its folder
/// is touched.</summary>
/// <remarks>The builder's store and each client's are chroot stores: paths are named /nix/store/… as everywhere, and lie below the
/// folder.</remarks>
public sealed class NixLab : IAsyncLifetime
{
    /// <summary>The compressions that every Nix since 2.4 reads.</summary>
    public static readonly string[] Compressions = ["none", "xz", "zstd", "bzip2"];

    /// <summary>Where builders find a shell and a few small commands: the system's own, or on NixOS a static busybox that the development
    /// shell names.</summary>
    private static readonly string Sandbox = System.Environment.GetEnvironmentVariable("TRUSTIXPROXY_TEST_SANDBOX")
        ?? "/bin /usr /lib /lib64?";

    /// <summary>What every Nix here is told; what comes later overrides it.</summary>
    private static readonly (string Name, string Value)[] Settings =
    [
        ("build-users-group", ""), ("experimental-features", "nix-command"), ("sandbox", "true"), ("sandbox-paths", Sandbox),
            ("substituters", ""),
    ];

    private readonly Dictionary<string, Daemon> _logs = [];
    private readonly Dictionary<string, (string PublicKey, string Token)> _logKeys = [];

    internal string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("trustix-e2e-").FullName;

    /// <summary>Built outputs by name.</summary>
    internal IReadOnlyDictionary<string, StorePath> Outputs { get; private set; } = new Dictionary<string, StorePath>();

    /// <summary>The top of a closure of 24 paths, and all of it.</summary>
    internal StorePath Top => Outputs["top"];

    internal IReadOnlyList<StorePath> Closure { get; private set; } = [];

    public async Task InitializeAsync()
    {
        var version = await Shell.RunAsync("nix-store", ["--version"]);
        Assert.True(version.Code is 0, "Nix is needed: apt-get install nix-bin, or see nixos.org");
        System.IO.Directory.CreateDirectory(Path.Combine(Directory, "conf"));
        await BuildAsync();
        await PublishCachesAsync();
        foreach (var name in new[] { "alice", "bob", "carol" })
        {
            await MakeLogAsync(name);
            await StartLogAsync(name);
        }

        foreach (var name in new[] { "alice", "bob" })
        {
            await SubmitAsync(name, [.. Closure, Outputs["big"]]);
        }
    }

    public async Task DisposeAsync()
    {
        foreach (var log in _logs.Values)
        {
            await log.DisposeAsync();
        }

        await Shell.RunAsync("chmod", ["-R", "u+w", Directory]);
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    /// <summary>The folder of the cache that holds everything in this compression.</summary>
    internal string CacheOf(string compression) => Path.Combine(Directory, "cache", compression);

    internal Daemon Log(string name) => _logs[name];

    /// <summary>The file with the write token of a log.</summary>
    internal string TokenOf(string log) => _logKeys[log].Token;

    /// <summary>Has the builder's Nix describe paths, and submits that to a log.</summary>
    internal async Task SubmitAsync(string log, IEnumerable<StorePath> paths) => (await Daemon.RunAsync(
        ["log", "submit", "--url", _logs[log].Urls[1], "--token-file", _logKeys[log].Token, .. paths.Select(path => path.Absolute)],
        Environment("builder", []))).OrThrow();

    /// <summary>Tells a log that a path's build came to something else: one hash for another.</summary>
    internal async Task SubmitForgedAsync(string log, StorePath path)
    {
        var token = NixSecretKey.TryParse((await File.ReadAllTextAsync(_logKeys[log].Token)).Trim(), out var key, out _) ? key
            : throw new InvalidOperationException();
        using var submitter = new Publisher.LogSubmitter(new Uri(_logs[log].Urls[1]), token);
        var forged = new Publisher.BuildStatement(path, NixHash.Sha256(new byte[32]), 1234, []);
        await submitter.SubmitAsync(await submitter.FindLogAsync(null, default), [forged], default);
    }

    /// <summary>A proxy before these upstreams, with the three logs, quorum 2 and its own state.</summary>
    internal Task<Proxy> StartProxyAsync(TimeSpan deadline, params string[] upstreams) => StartProxyAsync(deadline, _ => { }, upstreams);

    /// <summary>A proxy whose configuration is changed before it starts.</summary>
    internal async Task<Proxy> StartProxyAsync(TimeSpan deadline, Action<JsonObject> change, params string[] upstreams)
    {
        var state = System.IO.Directory.CreateDirectory(Path.Combine(Directory, $"proxy-{Guid.NewGuid():n}")).FullName;
        var publicKey = (await Daemon.RunAsync(["keygen", Path.Combine(state, "key"), "--name", "proxy-e2e-1"])).OrThrow().Output.Trim();
        var configuration = JsonSerializer.SerializeToNode(new
        {
            listen = new[] { "http://127.0.0.1:0" },
            operations = new { listen = Array.Empty<string>() },
            stateDirectory = state,
            signingKeyFile = Path.Combine(state, "key"),
            deadline = deadline.ToString("hh\\:mm\\:ss", null),
            upstreams = upstreams.Select((url, i) => new { name = $"cache{i}", url, priority = 10 + i }),
            logs = _logKeys.Select(log => new { name = log.Key, url = _logs[log.Key].Urls[0], publicKey = log.Value.PublicKey }),
            policy = new { quorum = 2 },
        })!.AsObject();
        change(configuration);
        return await Proxy.StartAsync(Directory, publicKey, configuration);
    }

    /// <summary>A cache's folder with these paths, signed with a key of its own; gives that key's public half too.</summary>
    internal async Task<(string Folder, string PublicKey)> SignedCacheAsync(string name, string store, params StorePath[] paths)
    {
        var (folder, key) = (Path.Combine(Directory, "cache", name), Path.Combine(Directory, $"{name}.key"));
        var publicKey = (await Daemon.RunAsync(["keygen", key, "--name", name])).OrThrow().Output.Trim();
        (await Shell.RunAsync("nix", ["copy", "--to", $"file://{folder}?compression=zstd&secret-key={key}",
            .. paths.Select(path => path.Absolute)], Environment(store, []))).OrThrow();
        return (folder, publicKey);
    }

    /// <summary>Runs a client of Nix with a store of its own, which has to substitute everything.</summary>
    internal Task<Result> ClientAsync(string store, string substituters, string publicKey, params string[] command) => Shell.RunAsync(
        command[0],
        [.. command[1..]],
        Environment(store, [("substituters", substituters), ("trusted-public-keys", publicKey), ("connect-timeout", "3"),
            ("stalled-download-timeout", "20")]));

    /// <summary>Has a client fetch paths.</summary>
    internal Task<Result> RealiseAsync(string store, string substituters, string publicKey, params StorePath[] paths) =>
        ClientAsync(store, substituters, publicKey, ["nix-store", "-r", .. paths.Select(path => path.Absolute)]);

    /// <summary>Whether all these paths are in a client's store and hold what their hashes say.</summary>
    internal async Task AssertVerifiedAsync(string store, IEnumerable<StorePath> paths) =>
        (await ClientAsync(store, "", "", ["nix-store", "--verify-path", .. paths.Select(path => path.Absolute)])).OrThrow();

    /// <summary>Whether a client has a path; what a broken download leaves behind is none.</summary>
    internal async Task<bool> IsValidAsync(string store, StorePath path) =>
        (await ClientAsync(store, "", "", "nix-store", "--check-validity", path.Absolute)).Code is 0;

    /// <summary>What a Nix with a store of its own runs under.</summary>
    internal Dictionary<string, string> Environment(string store, IEnumerable<(string Name, string Value)> settings) => new()
    {
        ["HOME"] = Path.Combine(Directory, "home", store),
        ["XDG_CACHE_HOME"] = Path.Combine(Directory, "home", store, ".cache"),
        ["NIX_CONF_DIR"] = Path.Combine(Directory, "conf"),
        ["NIX_REMOTE"] = $"local?root={Path.Combine(Directory, "stores", store)}",
        ["NIX_CONFIG"] = string.Concat(Settings.Concat(settings).Select(setting => $"{setting.Name} = {setting.Value}\n")),
    };

    /// <summary>Builds: a closure of 24 paths, one of 4 MB, and a few that stand alone.</summary>
    private async Task BuildAsync()
    {
        var expression = Path.Combine(Directory, "lab.nix");
        await File.WriteAllTextAsync(expression, """
            let
              mk = name: script: derivation {
                inherit name; system = builtins.currentSystem; builder = "/bin/sh";
                args = [ "-c" ("export PATH=/usr/bin:/bin; " + script) ];
              };
              leaf = mk "leaf-1.0" "mkdir -p $out/bin; echo '#!/bin/sh' > $out/bin/leaf; chmod +x $out/bin/leaf; ln -s leaf $out/bin/alias";
              chain = n: if n == 0 then leaf else mk "chain-${toString n}" "echo ${chain (n - 1)} $out > $out";
              fan = builtins.genList (i: mk "fan-${toString i}" "mkdir $out; echo ${leaf} ${toString i} > $out/x; head -c ${toString (i * 5000)} /dev/zero > $out/zeros") 12;
              alone = name: mk name "echo ${name} > $out";
            in {
              top = mk "top-1.0" "mkdir $out; echo ${toString fan} ${chain 10} > $out/refs";
              big = mk "big-1.0" "head -c 4000000 /dev/urandom > $out";
              split = alone "split-1.0"; lone = alone "lone-1.0"; fresh = alone "fresh-1.0"; spare = alone "spare-1.0";
                  sick = alone "sick-1.0";
            }
            """);
        var outputs = new Dictionary<string, StorePath>();
        foreach (var name in new[] { "top", "big", "split", "lone", "fresh", "spare", "sick" })
        {
            var built = (await Shell.RunAsync("nix-build", [expression, "-A", name, "--no-out-link"], Environment("builder", []), 120))
                .OrThrow();
            outputs.Add(name, PathOf(built.Output.Trim()));
        }

        Outputs = outputs;
        var closure = (await Shell.RunAsync("nix-store", ["-qR", Top.Absolute], Environment("builder", []))).OrThrow();
        Closure = [.. closure.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(PathOf)];
    }

    private async Task PublishCachesAsync()
    {
        foreach (var compression in Compressions)
        {
            (await Shell.RunAsync("nix", ["copy", "--to", $"file://{CacheOf(compression)}?compression={compression}",
                .. Outputs.Values.Select(path => path.Absolute)], Environment("builder", []))).OrThrow();
        }
    }

    private async Task MakeLogAsync(string name)
    {
        var folder = System.IO.Directory.CreateDirectory(Path.Combine(Directory, $"log-{name}")).FullName;
        var key = (await Daemon.RunAsync(["keygen", Path.Combine(folder, "key"), "--name", name])).OrThrow().Output.Trim();
        (await Daemon.RunAsync(["keygen", Path.Combine(folder, "token"), "--name", "builder"])).OrThrow();
        _logKeys.Add(name, (key.Split(':')[1], Path.Combine(folder, "token")));
    }

    private async Task StartLogAsync(string name)
    {
        var folder = Path.Combine(Directory, $"log-{name}");
        var token = NixSecretKey.TryParse((await File.ReadAllTextAsync(Path.Combine(folder, "token"))).Trim(), out var key, out _)
            ? key.PublicKey.ToString() : "";
        _logs[name] = await Daemon.StartAsync(["log", "serve"], Directory, new
        {
            listen = new[] { "http://127.0.0.1:0" },
            privateListen = new[] { "http://127.0.0.1:0" },
            stateDirectory = folder,
            logs = new[] { new { name, privateKeyFile = Path.Combine(folder, "key"), writeTokens = new[] { token } } },
        });
    }

    /// <summary>Kills a log; <see cref="ReviveAsync"/> brings it back, at another port.</summary>
    internal Task KillLogAsync(string name) => _logs[name].KillAsync();

    internal Task ReviveAsync(string name) => StartLogAsync(name);

    private static StorePath PathOf(string text) =>
        StorePath.TryParseAbsolute(text, out var path, out _) ? path : throw new FormatException(text);
}

[CollectionDefinition(Name)]
public sealed class NixLabCollection : ICollectionFixture<NixLab>
{
    public const string Name = "a real Nix";
}
