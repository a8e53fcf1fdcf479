using System.Runtime.InteropServices;

namespace TrustixProxy.Clients;

/// <summary>A rebuilder finds derivations in the flake attributes that its configuration names, and obeys no flake's settings.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class RebuildFlakeTests(ClientLab lab)
{
    private static readonly string System = RuntimeInformation.OSArchitecture is Architecture.Arm64 ? "aarch64-linux" : "x86_64-linux";

    [Theory]
    [EachClient]
    public async Task A_path_of_a_flake_attribute_is_rebuilt_and_a_flake_that_allows_itself_to_import_builds_does_not(string version)
    {
        var stage = await RebuildStage.MakeAsync(lab, version, "flake", "[ ]");
        var flake = await WriteAsync(version);
        string[] flakes = ["--extra-experimental-features", "flakes"];
        var path = (await stage.RunAsync("nix", [.. flakes, "eval", "--raw", $"{flake}#good.outPath"])).OrThrow().Output.Trim();
        var unknown = path.Replace("good", "unknown", StringComparison.Ordinal);

        var good = await stage.RebuildAsync(new { expressions = new[] { $"{flake}#good" } }, path);
        var imported = await stage.RebuildAsync(new { expressions = new[] { $"path:{flake}#imported" } }, unknown);

        Assert.True(good.Code is 0, good.ToString());
        Assert.Equal("from a flake\n", await File.ReadAllTextAsync(stage.Store + path));
        Assert.Equal(1, imported.Code);
        Assert.Contains($"path:{flake}#imported cannot be evaluated", imported.Output, StringComparison.Ordinal);
        Assert.Contains("'allow-import-from-derivation' is disabled", imported.Output, StringComparison.Ordinal);
    }

    /// <summary>Writes a flake whose settings ask for imports from derivations and for builds without a sandbox.</summary>
    private async Task<string> WriteAsync(string version)
    {
        var folder = Directory.CreateDirectory(Path.Combine(lab.Directory, $"flake-{version}")).FullName;
        File.Copy(Path.Combine(lab.Directory, "act"), Path.Combine(folder, "act"), overwrite: true);
        await File.WriteAllTextAsync(Path.Combine(folder, "flake.nix"), $$"""
            {
              nixConfig = { allow-import-from-derivation = true; sandbox = false; };
              outputs = { self }:
                let
                  mk = name: args: derivation { name = "flake-${name}-{{version}}"; inherit args; system = "{{System}}"; builder = ./act; };
                in {
                  good = mk "good" [ "write" "from a flake" ];
                  imported = import (mk "code" [ "write" "builtins.throw \"a build was imported\"" ]);
                };
            }
            """);
        return folder;
    }
}
