using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;

namespace TrustixProxy.Clients;

/// <summary>What every test of real clients shares: built paths, caches that hold them in three compressions, two logs that vouch for
/// them, and a third that is empty.</summary>
/// <remarks>Each client has a <c>/nix</c> of its own below this folder. Nothing outside the folder changes.</remarks>
public sealed class ClientLab : IAsyncLifetime
{
    /// <summary>The compressions of the lab's caches.</summary>
    public static readonly string[] Compressions = ["none", "xz", "zstd"];

    private readonly Dictionary<string, Daemon> _logs = [];
    private readonly Dictionary<string, (string PublicKey, string Token)> _keys = [];

    internal string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("trustix-clients-").FullName;

    /// <summary>The built outputs by the names of their attributes.</summary>
    internal IReadOnlyDictionary<string, StorePath> Outputs { get; private set; } = new Dictionary<string, StorePath>();

    /// <summary>The file with the expression that builds <see cref="Outputs"/>.</summary>
    internal string Expression => Path.Combine(Directory, "lab.nix");

    /// <summary>The closure of the output <c>top</c>.</summary>
    internal IReadOnlyList<StorePath> Closure { get; private set; } = [];

    public async Task InitializeAsync()
    {
        if (NixClient.AtHand is not [var builder, ..])
        {
            return; // the tests that ask for each version say what is missing
        }

        System.IO.Directory.CreateDirectory(Path.Combine(Directory, "conf"));
        await BuildAsync(builder);
        foreach (var name in new[] { "alice", "bob", "carol" })
        {
            await StartLogAsync(name);
        }

        await SubmitAsync("alice", [.. Closure, .. Outputs.Values]);
        await SubmitAsync("bob", [.. Closure, .. Outputs.Where(output => output.Key is not "lone").Select(output => output.Value)]);
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

    /// <summary>The folder of the cache that holds every output in this compression.</summary>
    internal string CacheOf(string compression) => Path.Combine(Directory, "cache", compression);

    /// <summary>Runs Nix with a store of its own.</summary>
    internal Task<Result> RunAsync(Machine machine, params string[] command) => RunAsync(machine, 120, command);

    /// <summary>Runs Nix with a store of its own, and with another limit of time than two minutes.</summary>
    internal Task<Result> RunAsync(Machine machine, int seconds, params string[] command) =>
        machine.Client.RunAsync(Directory, StoreOf(machine), machine.Environment(Directory), command, seconds);

    /// <summary>Whether a machine has this path and its content is right.</summary>
    internal async Task AssertVerifiedAsync(Machine machine, IEnumerable<StorePath> paths) =>
        (await RunAsync(machine, ["nix-store", "--verify-path", .. paths.Select(path => path.Absolute)])).OrThrow();

    /// <summary>Whether a machine has this path.</summary>
    internal async Task<bool> IsValidAsync(Machine machine, StorePath path) =>
        (await RunAsync(machine, "nix-store", "--check-validity", path.Absolute)).Code is 0;

    /// <summary>Publishes the spool of a machine to a log.</summary>
    internal async Task<Result> PublishAsync(string spool, string log)
    {
        var file = Path.Combine(Directory, $"{Guid.NewGuid():n}.json");
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(
            new { log = new { url = _logs[log].Urls[1], tokenFile = _keys[log].Token, name = log }, spoolDirectory = spool }));
        return await Daemon.RunAsync(["publish", "--once", "--config", file]);
    }

    /// <summary>The configuration of a log in a proxy.</summary>
    internal JsonNode LogOf(string name) =>
        JsonSerializer.SerializeToNode(new { name, url = _logs[name].Urls[0], publicKey = _keys[name].PublicKey })!;

    /// <summary>A proxy with alice's and bob's logs, a quorum of two, and these upstreams.</summary>
    internal Task<Proxy> StartProxyAsync(params string[] upstreams) => StartProxyAsync(_ => { }, upstreams);

    /// <summary>A proxy whose configuration is changed before it starts.</summary>
    internal async Task<Proxy> StartProxyAsync(Action<JsonObject> change, params string[] upstreams)
    {
        var state = System.IO.Directory.CreateDirectory(Path.Combine(Directory, $"proxy-{Guid.NewGuid():n}")).FullName;
        var publicKey = (await Daemon.RunAsync(["keygen", Path.Combine(state, "key"), "--name", "proxy-clients-1"]))
            .OrThrow().Output.Trim();
        var configuration = JsonSerializer.SerializeToNode(new
        {
            listen = new[] { "http://127.0.0.1:0" },
            operations = new { listen = Array.Empty<string>() },
            stateDirectory = state,
            signingKeyFile = Path.Combine(state, "key"),
            upstreams = upstreams.Select((url, i) => new { name = $"cache{i}", url, priority = 10 + i }),
            logs = new[] { LogOf("alice"), LogOf("bob") },
            policy = new { quorum = 2 },
        })!.AsObject();
        change(configuration);
        return await Proxy.StartAsync(Directory, publicKey, configuration);
    }

    private string StoreOf(Machine machine) =>
        System.IO.Directory.CreateDirectory(Path.Combine(Directory, "stores", machine.Name)).FullName;

    /// <summary>Builds a closure of a dozen paths, one of 4 MB, and two that stand alone, and copies them to caches.</summary>
    private async Task BuildAsync(NixClient client)
    {
        await File.WriteAllTextAsync(Expression, """
            let
              mk = name: script: derivation {
                inherit name; system = builtins.currentSystem; builder = "/bin/sh";
                args = [ "-c" ("export PATH=/usr/bin:/bin; " + script) ];
              };
              leaf = mk "leaf-1.0" "mkdir -p $out/bin; echo '#!/bin/sh' > $out/bin/leaf; chmod +x $out/bin/leaf; ln -s leaf $out/bin/alias";
              fan = builtins.genList (i: mk "fan-${toString i}" "mkdir $out; echo ${leaf} ${toString i} $out > $out/x; head -c ${toString (i * 9000)} /dev/zero > $out/zeros") 10;
            in {
              top = mk "top-1.0" "mkdir $out; echo ${toString fan} > $out/refs";
              big = mk "big-1.0" "head -c 4000000 /dev/urandom > $out";
              lone = mk "lone-1.0" "echo lone > $out";
            }
            """);
        var machine = new Machine(client, "builder");
        var outputs = new Dictionary<string, StorePath>();
        foreach (var name in new[] { "top", "big", "lone" })
        {
            outputs.Add(
                name, PathOf((await RunAsync(machine, "nix-build", Expression, "-A", name, "--no-out-link")).OrThrow().Output.Trim()));
        }

        Outputs = outputs;
        var closure = (await RunAsync(machine, "nix-store", "-qR", outputs["top"].Absolute)).OrThrow();
        Closure = [.. closure.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(PathOf)];
        foreach (var compression in Compressions)
        {
            (await RunAsync(machine, ["nix", "copy", "--to", $"file://{CacheOf(compression)}?compression={compression}",
                .. outputs.Values.Select(path => path.Absolute)])).OrThrow();
        }
    }

    private async Task StartLogAsync(string name)
    {
        var folder = System.IO.Directory.CreateDirectory(Path.Combine(Directory, $"log-{name}")).FullName;
        var (key, token) = (Path.Combine(folder, "key"), Path.Combine(folder, "token"));
        var publicKey = (await Daemon.RunAsync(["keygen", key, "--name", name])).OrThrow().Output.Trim();
        var publicToken = (await Daemon.RunAsync(["keygen", token, "--name", "builder"])).OrThrow().Output.Trim();
        _keys.Add(name, (publicKey.Split(':')[1], token));
        _logs[name] = await Daemon.StartAsync(["log", "serve"], Directory, new
        {
            listen = new[] { "http://127.0.0.1:0" },
            privateListen = new[] { "http://127.0.0.1:0" },
            stateDirectory = folder,
            logs = new[] { new { name, privateKeyFile = key, writeTokens = new[] { publicToken } } },
        });
    }

    /// <summary>Submits what the lab's caches say of these paths to a log.</summary>
    private Task SubmitAsync(string log, IEnumerable<StorePath> paths) => SubmitAsync(log, [.. paths.Distinct().Select(StatementOf)]);

    /// <summary>Submits statements to a log.</summary>
    internal async Task SubmitAsync(string log, IReadOnlyList<BuildStatement> statements)
    {
        var token = NixSecretKey.TryParse((await File.ReadAllTextAsync(_keys[log].Token)).Trim(), out var key, out _) ? key
            : throw new InvalidOperationException();
        using var submitter = new LogSubmitter(new Uri(_logs[log].Urls[1]), token);
        await submitter.SubmitAsync(await submitter.FindLogAsync(null, default), statements, default);
    }

    private BuildStatement StatementOf(StorePath path)
    {
        var bytes = File.ReadAllBytes(Path.Combine(CacheOf("none"), $"{path.Digest}.narinfo"));
        return NarInfo.TryParse(bytes, out var narInfo, out var error)
            ? new BuildStatement(path, narInfo.NarHash, narInfo.NarSize, narInfo.References)
            : throw new FormatException($"{path}: {error}");
    }

    internal static StorePath PathOf(string text) =>
        StorePath.TryParseAbsolute(text, out var path, out _) ? path : throw new FormatException(text);
}

[CollectionDefinition(Name)]
public sealed class ClientLabCollection : ICollectionFixture<ClientLab>
{
    public const string Name = "real clients";
}
