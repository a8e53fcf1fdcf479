using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace TrustixProxy.Tests.Packaging;

/// <summary>The flake and what it wires.</summary>
public sealed partial class NixFilesTests
{
    [Fact]
    public async Task Every_nix_file_parses() =>
        await Command.RunAsync("nix-instantiate", ["--store", "dummy://", "--parse",
            .. Directory.GetFiles(Repository.Root, "*.nix").Concat(Repository.Sources("nix", "*.nix"))], Command.Quiet);

    [Fact]
    public async Task The_flake_has_what_its_users_name()
    {
        var outputs = await Command.EvaluateAsync("""
            let
              flake = import (root + "/flake.nix");
              pkgs = stub.pkgs // { callPackage = file: _: file; extend = overlay: pkgs // overlay pkgs pkgs; nixfmt-tree = "nixfmt"; };
              outputs = flake.outputs { self = outputs; nixpkgs = { inherit (stub) lib;
                  legacyPackages = stub.lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (_: pkgs); }; };
            in
            builtins.mapAttrs (_: builtins.attrNames) (outputs // { packages = outputs.packages.x86_64-linux;
                checks = outputs.checks.aarch64-linux; devShells = outputs.devShells.x86_64-linux; })
            """);

        Assert.Equal(["default", "trustix-proxy"], Texts(outputs, "packages"));
        Assert.Equal(["default"], Texts(outputs, "overlays"));
        Assert.Equal(["default"], Texts(outputs, "devShells"));
        Assert.Equal(["default", "trustix-client", "trustix-log", "trustix-proxy", "trustix-publisher", "trustix-rebuilder"],
            Texts(outputs, "nixosModules"));
        Assert.Equal(["aarch64-linux", "x86_64-linux"], Texts(outputs, "formatter"));
        Assert.Equal(["agreement", "forged-nar", "log-down", "package", "post-build-hook", "replica", "split"], Texts(outputs, "checks"));
    }

    [Fact]
    public async Task The_machines_of_the_vm_tests_evaluate_and_have_good_configurations()
    {
        var checks = await Command.EvaluateAsync("""
            builtins.mapAttrs (_: check: builtins.mapAttrs (_: node: stub.machine [ node ]) check.nodes) (import (root + "/nix/checks") {
                inherit (stub) pkgs; module = { imports = ours; }; })
            """);

        foreach (var machine in checks.EnumerateObject().SelectMany(check => check.Value.EnumerateObject()))
        {
            Assert.Empty(Texts(machine.Value, "failed"));
            Assert.Empty(Texts(machine.Value, "warnings"));
        }

        foreach (var (machine, unit) in new[] { ("client", "trustix-proxy"), ("alice", "trustix-log"), ("alice", "trustix-publisher") })
        {
            using var folder = new Folder();
            await new Unit(checks.GetProperty("agreement").GetProperty(machine), unit).BuildAsync(folder);
        }
    }

    [Fact]
    public async Task The_development_shell_has_each_program_that_the_tests_need()
    {
        var packages = await Command.EvaluateAsync("""
            let shell = import (root + "/nix/shell.nix"); names = builtins.mapAttrs (name: _: name) (builtins.functionArgs shell); in
            (shell (names // { lib = stub.lib // { makeLibraryPath = names: ""; getOutput = _: name: name; getExe = name: name; };
                mkShell = shell: shell; dotnetCorePackages.sdk_10_0 = "dotnet"; pkgsStatic.busybox = "busybox"; })).packages
            """);
        var needed = Needed.Matches(Repository.Read("tests/run")).Select(match => match.Groups[1].Value).ToList();

        Assert.NotEmpty(needed);
        Assert.Subset(packages.EnumerateArray().Select(package => package.GetString()!).ToHashSet(),
            needed.Select(debian => debian switch
            {
                "nix-bin" => "nix",
                "redis-server" => "redis",
                "docker.io" => "docker",
                "groff-base" => "groff",
                _ => debian,
            }).ToHashSet());
    }

    [Fact]
    public void Deps_json_names_each_package_of_the_lock_files_with_the_hash_of_its_file()
    {
        var locked = Directory.GetDirectories(Path.Combine(Repository.Root, "src"))
            .SelectMany(project => JsonDocument.Parse(
                File.ReadAllBytes(Path.Combine(project, "packages.lock.json"))).RootElement.GetProperty("dependencies").EnumerateObject())
            .SelectMany(framework => framework.Value.EnumerateObject())
                .Where(package => package.Value.GetProperty("type").GetString() is not "Project")
            .Select(package =>
                (package.Name, Version: package.Value.GetProperty("resolved").GetString()!, Content: package.Value.GetProperty(
                "contentHash").GetString())).Distinct().OrderBy(package => package.Name, StringComparer.OrdinalIgnoreCase).ToList();
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

        var named = JsonDocument.Parse(Repository.Read("nix/deps.json")).RootElement.EnumerateArray()
            .Select(package => (Name: package.GetProperty("pname").GetString()!, Version: package.GetProperty("version").GetString()!,
                Hash: package.GetProperty("hash").GetString())).OrderBy(package => package.Name, StringComparer.OrdinalIgnoreCase).ToList();

        Assert.True(locked.Select(package => (package.Name, package.Version)).SequenceEqual(
            named.Select(package => (package.Name, package.Version))), "nix/deps.json and the lock files differ: run nix/update-deps");
        foreach (var ((name, version, content), hash) in locked.Zip(named.Select(package => package.Hash)))
        {
            // A lock file's hash leaves out the signature in the package, so that it is not the file's: the file is taken for the package
            // by what NuGet noted beside it.
            var (id, folder) = (name.ToLowerInvariant(), Path.Combine(packages, name.ToLowerInvariant(), version.ToLowerInvariant()));
            Assert.Equal(content, JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, ".nupkg.metadata"))).RootElement.GetProperty(
                "contentHash").GetString());
            var file = File.ReadAllBytes(Path.Combine(folder, $"{id}.{version.ToLowerInvariant()}.nupkg"));
            Assert.Equal($"sha256-{Convert.ToBase64String(SHA256.HashData(file))}", hash);
        }
    }

    private static IEnumerable<string> Texts(JsonElement element, string name) =>
        element.GetProperty(name).EnumerateArray().Select(text => text.GetString()!);

    /// <summary>A program that a suite needs, by its Debian package.</summary>
    [GeneratedRegex(@"needs (\S+) command -v")]
    private static partial Regex Needed { get; }
}
