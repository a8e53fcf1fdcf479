using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Clients;

/// <summary>A rebuilder that an ordinary user runs, with this machine's own Nix: builders run in user namespaces, as that user.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class RebuildOrdinaryUserTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("trustix-ordinary-").FullName;

    /// <summary>The program, where that user can reach it.</summary>
    private string Program => Path.Combine(_folder, "program", Path.GetFileName(Executable.Command[^1]));

    private string Store => Path.Combine(_folder, "own");

    private string Spool => Path.Combine(_folder, "spool");

    public async Task InitializeAsync()
    {
        var act = Path.Combine(AppContext.BaseDirectory, "act.c");
        (await Shell.RunAsync("gcc", ["-static", "-O1", "-o", Path.Combine(_folder, "act"), act])).OrThrow();
        (await Shell.RunAsync("cp", ["-r", Path.GetDirectoryName(Executable.Command[^1])!, Path.GetDirectoryName(Program)!])).OrThrow();
    }

    public async Task DisposeAsync()
    {
        await Shell.RunAsync("chmod", ["-R", "u+w", _folder]);
        Directory.Delete(_folder, recursive: true);
    }

    [OrdinaryUserFact]
    public async Task It_builds_and_queues_what_its_store_holds()
    {
        var run = await RebuildAsync("""mk "dice" [ "random" ]""", "--json");

        Assert.True(run.Code is 0, run.ToString());
        var output = JsonNode.Parse(run.Output)![0]!["outputs"]![0]!;
        var path = output["path"]!.GetValue<string>();
        (await RunAsync("nix-store", "--store", Store, "--verify-path", path)).OrThrow();
        Assert.Equal((await RunAsync("nix-store", "--store", Store, "-q", "--hash", path)).OrThrow().Output.Trim(),
            output["narHash"]!.GetValue<string>());
        Assert.Single(Directory.GetFiles(Spool, "*.job"));
    }

    [OrdinaryUserFact]
    public async Task Its_builders_read_none_of_its_files_and_reach_no_network()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var (token, outside) = (Path.Combine(_folder, "token"), Path.Combine(_folder, "outside"));
        await File.WriteAllTextAsync(token, "secret");

        var run = await RebuildAsync($"""
            mk "spy" [ "spy" "{((IPEndPoint)listener.LocalEndpoint).Port}" "{outside}" "/etc/none"
              "{token}" "{Store}/rebuilds" "{Spool}" "/proc/1/root{token}" ]
            """, "--json");

        Assert.True(run.Code is 0, run.ToString());
        var path = JsonNode.Parse(run.Output)![0]!["path"]!.GetValue<string>();
        Assert.Equal("network refused\noutside refused\ninput refused\nenvironment refused\nrefused\nrefused\nrefused\nrefused\n",
            await File.ReadAllTextAsync(Store + path));
        Assert.False(File.Exists(outside));
        Assert.False(listener.Pending());
    }

    [OrdinaryUserTheory]
    [InlineData("in mk \"target\" [ \"write\" \"${victim}\" \"${vandal}\" ]")]
    [InlineData("user = mk \"user\" [ \"write\" \"${victim}\" \"${vandal}\" ]; in mk \"target\" [ \"write\" \"${user}\" ]")]
    public async Task A_builder_that_changes_an_input_that_was_built_before_spoils_no_build_after_it(string target)
    {
        var run = await RebuildAsync($$"""
            let victim = mk "victim" [ "write" "good" ]; vandal = mk "vandal" [ "vandal" "${victim}" ]; {{target}}
            """);

        Assert.True(run.Code is 1, run.ToString());
        Assert.Contains("inputs were changed after they came, so they were removed", run.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Spool) && Directory.GetFiles(Spool, "*.job").Length > 0);
    }

    /// <summary>Rebuilds what an expression evaluates to; all its inputs, too.</summary>
    private async Task<Result> RebuildAsync(string expression, params string[] arguments)
    {
        var (work, configuration) = (Path.Combine(_folder, "work.nix"), Path.Combine(_folder, "rebuild.json"));
        await File.WriteAllTextAsync(work, $$"""
            let mk = name: args: derivation { inherit name args; system = builtins.currentSystem; builder = ./act; };
            in {{expression}}
            """);
        await File.WriteAllTextAsync(configuration, JsonSerializer.Serialize(new
        {
            rebuilder = new { store = Store, spoolDirectory = Spool, inputs = "build", expressions = new[] { work } },
        }));
        if (Environment.IsPrivilegedProcess)
        {
            (await Shell.RunAsync("chown", ["-R", OrdinaryUser.Name, _folder])).OrThrow();
        }

        var path = (await RunAsync("nix-instantiate", "--store", Path.Combine(_folder, "other"), "--eval", "--expr",
            $"builtins.unsafeDiscardStringContext (import {work}).outPath")).OrThrow().Output.Trim().Trim('"');
        Assert.True(StorePath.TryParseAbsolute(path, out _, out _), path);
        string[] command = [.. Executable.Command.SkipLast(1), Program];
        return await RunAsync(command[0], [.. command.Skip(1), "rebuild", "--config", configuration, path, .. arguments]);
    }

    private Task<Result> RunAsync(string program, params string[] arguments) => OrdinaryUser.RunAsync(program, arguments, new()
    {
        ["HOME"] = _folder,
        ["USER"] = OrdinaryUser.Name,
        ["NIX_CONF_DIR"] = _folder,
        ["NIX_CONFIG"] = "experimental-features = nix-command\nsubstituters =\n",
    });
}
