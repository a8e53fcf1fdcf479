using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Clients;

/// <summary>A rebuilder over one version of real Nix: programs on its PATH that enter that version's root file system, a machine's store
/// with derivations, and a store and a spool of its own.</summary>
internal sealed class RebuildStage
{
    private readonly ClientLab _lab;
    private readonly string _folder;

    private RebuildStage(ClientLab lab, Machine machine, string name, string folder) =>
        (_lab, Machine, Name, _folder) = (lab, machine, name, folder);

    /// <summary>The rebuilder's name.</summary>
    public string Name { get; }

    /// <summary>The machine in whose store the derivations are.</summary>
    public Machine Machine { get; }

    public string Spool => Path.Combine(_folder, "spool");

    public string Store => Path.Combine(_folder, "own");

    public string Expression => Path.Combine(_folder, "work.nix");

    /// <summary>The program that builds.</summary>
    public string Builder => Path.Combine(_lab.Directory, "act");

    /// <summary>Makes a stage.</summary>
    /// <param name="derivations">The attributes of an expression that has <c>mk = name: args: derivation</c>.</param>
    public static async Task<RebuildStage> MakeAsync(ClientLab lab, string version, string name, string derivations)
    {
        var folder = Directory.CreateDirectory(Path.Combine(lab.Directory, $"rebuild-{name}-{version}")).FullName;
        var stage = new RebuildStage(lab, new Machine(NixClient.Of(version), $"rebuild-{name}-{version}"), name, folder);
        if (!File.Exists(stage.Builder))
        {
            var source = Path.Combine(AppContext.BaseDirectory, "act.c");
            (await Shell.RunAsync("gcc", ["-static", "-O1", "-o", stage.Builder, source])).OrThrow();
        }

        await stage.WriteAsync(derivations);
        await stage.WriteProgramsAsync();
        return stage;
    }

    /// <summary>Writes the expression.</summary>
    /// <param name="derivations">As in <see cref="MakeAsync"/>; it may use <c>fixed = name: args: text: derivation</c>, too, whose output
    /// must be the text.</param>
    public Task WriteAsync(string derivations) => File.WriteAllTextAsync(Expression, $$"""
        let
          make = name: args: more: derivation ({
            name = "${name}-{{Machine.Client.Version}}"; inherit args; system = builtins.currentSystem; builder = {{Builder}};
          } // more);
          mk = name: args: make name args { };
          fixed = name: args: text: make name args {
            outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = builtins.hashString "sha256" text;
          };
        in {{derivations}}
        """);

    /// <summary>Has the machine's store hold the derivations, and returns them by the names of their outputs.</summary>
    public async Task<IReadOnlyDictionary<string, StorePath>> InstantiateAsync()
    {
        var said = (await _lab.RunAsync(Machine, "nix-instantiate", Expression)).OrThrow().Output;
        return said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(ClientLab.PathOf)
            .ToDictionary(path => NameOf(path)[..^".drv".Length]);
    }

    /// <summary>The outputs of derivations.</summary>
    public async Task<IReadOnlyDictionary<string, StorePath>> OutputsAsync()
    {
        var drvs = (await InstantiateAsync()).Values.Select(path => path.Absolute);
        var said = (await _lab.RunAsync(Machine, ["nix-store", "-q", "--outputs", .. drvs])).OrThrow().Output;
        return said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(ClientLab.PathOf).ToDictionary(NameOf);
    }

    /// <summary>Runs <c>rebuild</c>.</summary>
    public async Task<Result> RebuildAsync(object settings, params string[] arguments) => await Shell.RunAsync(
        Executable.Command[0], [.. Executable.Command.Skip(1), "rebuild", "--config", await ConfigureAsync(settings), .. arguments],
        Environment, seconds: 400);

    /// <summary>Runs a shell script in a mount namespace of its own. In it, <c>rebuild</c> rebuilds.</summary>
    public async Task<Result> RunScriptAsync(object settings, string script)
    {
        string[] user = System.Environment.IsPrivilegedProcess ? [] : ["--user", "--map-root-user"];
        var rebuild = $"rebuild() {{ {Executable.Words} rebuild --config '{await ConfigureAsync(settings)}' \"$@\"; }}";
        return await Shell.RunAsync(
            "unshare", [.. user, "--mount", "--propagation", "private", "sh", "-c", $"{rebuild}\n{script}"], Environment, seconds: 400);
    }

    /// <summary>Has this version's <c>nix-store</c> run a line of shell before it does anything; empty for none.</summary>
    public void Interpose(string line) => WriteNix("nix-store", line);

    /// <summary>Starts <c>rebuild</c>.</summary>
    public async Task<Process> StartAsync(object settings, params string[] arguments)
    {
        var process = Process.Start(Shell.Start(Executable.Command[0],
            [.. Executable.Command.Skip(1), "rebuild", "--config", await ConfigureAsync(settings), .. arguments], Environment))!;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    /// <summary>Runs a program of this version's Nix as the rebuilder does.</summary>
    public Task<Result> RunAsync(string program, params string[] arguments) =>
        Shell.RunAsync(Path.Combine(_folder, "bin", program), arguments, Environment);

    /// <summary>The hash of a path in the rebuilder's own store, by its bytes.</summary>
    public async Task<string> HashOfAsync(string path)
    {
        (await RunAsync("nix-store", "--store", Store, "--verify-path", path)).OrThrow();
        return (await RunAsync("nix-store", "--store", Store, "-q", "--hash", path)).OrThrow().Output.Trim();
    }

    /// <summary>What the recorded results say.</summary>
    public async Task<IReadOnlyList<JsonObject>> ResultsAsync() =>
        [.. JsonNode.Parse((await RebuildAsync(new { }, "--results", "--json")).OrThrow().Output)!.AsArray()
            .Select(item => item!.AsObject())];

    private Dictionary<string, string> Environment => new()
    {
        ["PATH"] = $"{Path.Combine(_folder, "bin")}:/usr/sbin:/usr/bin:/sbin:/bin",
        ["NIX_REMOTE"] = "local",
        ["NIX_CONFIG"] = "experimental-features = nix-command\n",
    };

    private async Task<string> ConfigureAsync(object settings)
    {
        var rebuilder = JsonSerializer.SerializeToNode(settings)!.AsObject();
        (rebuilder["store"], rebuilder["spoolDirectory"]) = (Store, Spool);
        var file = Path.Combine(_folder, $"{Guid.NewGuid():n}.json");
        await File.WriteAllTextAsync(file, new JsonObject { ["rebuilder"] = rebuilder }.ToJsonString());
        return file;
    }

    /// <summary>Writes the programs, and a user database with build users, as Nix's installer would make it.</summary>
    private async Task WriteProgramsAsync()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "bin"));
        var users = Enumerable.Range(1, 4).Select(i => $"nixbld{i}").ToList();
        await File.WriteAllTextAsync(Path.Combine(_folder, "group"),
            $"root:x:0:\nnogroup:x:65534:\nnixbld:x:30000:{string.Join(',', users)}\n");
        await File.WriteAllTextAsync(Path.Combine(_folder, "passwd"), "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
            + string.Concat(users.Select((user, i) => $"{user}:x:{30001 + i}:30000::/var/empty:/bin/false\n")));
        // Nix 2.34 builds below no folder that everyone may write to, as /tmp, which here is the namespace's own.
        RunnableFile.WriteScript(Path.Combine(_folder, "with-users"),
            $"chmod 755 /tmp && mount --bind {_folder}/group /etc/group && mount --bind {_folder}/passwd /etc/passwd && exec \"$@\"");
        foreach (var program in new[] { "nix", "nix-store", "nix-build", "nix-instantiate" })
        {
            WriteNix(program, "");
        }
    }

    private void WriteNix(string program, string before)
    {
        var store = Directory.CreateDirectory(Path.Combine(_lab.Directory, "stores", Machine.Name)).FullName;
        var folders = Path.Combine(AppContext.BaseDirectory, "folders");
        RunnableFile.WriteScript(Path.Combine(_folder, "bin", program), $"{before}\nexec {folders} enter {Machine.Client.Folder} "
            + $"{_lab.Directory} {store} {_folder}/with-users {program} \"$@\"");
    }

    /// <summary>The name without the version, which keeps the versions' paths apart in the lab's logs.</summary>
    private string NameOf(StorePath path) => path.Name.Replace($"-{Machine.Client.Version}", "", StringComparison.Ordinal);
}
