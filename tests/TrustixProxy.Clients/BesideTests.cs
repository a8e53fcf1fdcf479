using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;

namespace TrustixProxy.Clients;

/// <summary>What each version of Nix, and tools beside it, ask a cache for beside narinfos and NARs.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class BesideTests(ClientLab lab)
{
    private const string BuildId = "c6e8b3f0a1b2c3d4e5f60718293a4b5c6d7e8f90";

    [Theory]
    [EachClient]
    public async Task Nix_log_shows_the_log_of_a_derivation_and_of_an_output_that_is_not_here(string version)
    {
        var (path, folder) = await MakeAsync(version, "log");
        var expression = Path.Combine(lab.Directory, $"beside-log-{version}.nix");
        await using var cache = await FaultyCache.StartAsync(folder);
        await using var proxy = await lab.StartProxyAsync(cache.Url);
        var derivation = NarInfoOf(folder, path).Deriver!;
        var machine = Machine.Substituting(version, "log", proxy.Url, proxy.PublicKey);

        (await lab.RunAsync(machine, "nix-instantiate", expression)).OrThrow(); // older versions show logs of derivations that are here
        var ofDerivation = (await lab.RunAsync(machine, "nix", "log", derivation.Absolute)).OrThrow();
        var ofOutput = (await lab.RunAsync(machine, "nix", "log", "--store", proxy.Url, path.Absolute)).OrThrow();

        Assert.Equal($"built for {version}\n", ofDerivation.Output);
        Assert.Equal($"built for {version}\n", ofOutput.Output);
        Assert.Contains($"/log/{derivation}", cache.Requests);
    }

    [Theory]
    [EachClient]
    public async Task Nix_store_ls_and_cat_read_a_path_that_is_not_here(string version)
    {
        var (path, folder) = await MakeAsync(version, "ls");
        await using var cache = await FaultyCache.StartAsync(folder);
        await using var proxy = await lab.StartProxyAsync(cache.Url);
        var machine = Machine.Substituting(version, "ls", proxy.Url, proxy.PublicKey);

        var listed = (await lab.RunAsync(machine, "nix", "store", "ls", "-R", "--store", proxy.Url, path.Absolute)).OrThrow();
        var read = (await lab.RunAsync(machine, "nix", "store", "cat", "--store", proxy.Url, $"{path.Absolute}/share/note")).OrThrow();

        Assert.Contains("./share/note", listed.Output, StringComparison.Ordinal);
        Assert.Equal("a note\n", read.Output);
        Assert.DoesNotContain(cache.Requests, request => request.EndsWith(".ls", StringComparison.Ordinal));
    }

    /// <summary>The listing that we make is the one that Nix writes beside a NAR.</summary>
    [Theory]
    [EachClient]
    public async Task A_listing_is_what_nix_would_have_written(string version)
    {
        var (path, folder) = await MakeAsync(version, "listing");
        await using var cache = await FaultyCache.StartAsync(folder);
        await using var proxy = await lab.StartProxyAsync(cache.Url);

        var answer = await proxy.AskAsync($"{path.Digest}.ls");

        Assert.Equal((200, "agreed"), (answer.Status, answer.Decision));
        var written = await File.ReadAllTextAsync(Path.Combine(folder, $"{path.Digest}.ls"));
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(written), JsonNode.Parse(answer.Text)), answer.Text);
        if (version is not "2.8") // which wrote members in another order
        {
            Assert.Equal(written, answer.Text);
        }
    }

    /// <summary>As dwarffs and nixseparatedebuginfod do: the build ID, then the archive that it names, then a file in that.</summary>
    [Theory]
    [EachClient]
    public async Task A_build_id_leads_to_the_file_with_the_debug_information(string version)
    {
        var (path, folder) = await MakeAsync(version, "debug");
        await using var cache = await FaultyCache.StartAsync(folder);
        await using var proxy = await lab.StartProxyAsync(cache.Url);
        var before = await proxy.AskAsync($"debuginfo/{BuildId}.debug");
        Assert.Equal(200, (await proxy.AskAsync($"{path.Digest}.narinfo")).Status);
        await TrustixProxy.Testing.Eventually.UntilAsync(async () => (await proxy.AskAsync($"debuginfo/{BuildId}.debug")).Status is 200);

        var found = JsonNode.Parse((await proxy.AskAsync($"debuginfo/{BuildId}.debug")).Text)!;
        var archive = new Uri(new Uri($"{proxy.Url}/debuginfo/{BuildId}.debug"), found["archive"]!.GetValue<string>());
        using var client = new HttpClient();
        var nar = await client.GetByteArrayAsync(archive);
        var listing = JsonNode.Parse((await proxy.AskAsync($"{path.Digest}.ls")).Text)!["root"]!;
        foreach (var name in found["member"]!.GetValue<string>().Split('/'))
        {
            listing = listing["entries"]![name]!;
        }

        var (start, size) = (listing["narOffset"]!.GetValue<int>(), listing["size"]!.GetValue<int>());
        Assert.Equal(404, before.Status);
        Assert.Equal("symbols\n"u8, nar.AsSpan(start, size));
    }

    /// <summary>Builds a path with all that a cache may have beside a NAR, copies it to a cache of its own with Nix's own listing and
    /// index, and has both logs vouch for it.</summary>
    private async Task<(StorePath Path, string Folder)> MakeAsync(string version, string name)
    {
        var expression = Path.Combine(lab.Directory, $"beside-{name}-{version}.nix");
        var debug = $"$out/lib/debug/.build-id/{BuildId[..2]}";
        await File.WriteAllTextAsync(expression, $$"""
            derivation {
              name = "beside-{{name}}-{{version}}-debug"; system = builtins.currentSystem; builder = "/bin/sh";
              args = [ "-c" "export PATH=/usr/bin:/bin; echo built for {{version}}; mkdir -p {{debug}} $out/share; echo a note > $out/share/note; ln -s note $out/share/link; echo symbols > {{debug}}/{{BuildId[2..]}}.debug; echo '#!/bin/sh' > $out/run; chmod +x $out/run" ];
            }
            """);
        var folder = lab.CacheOf($"beside-{name}-{version}");
        var machine = new Machine(NixClient.Of(version), $"beside-{name}-{version}");
        var built = (await lab.RunAsync(machine, "nix-build", expression, "--no-out-link")).OrThrow().Output.Trim();
        var derivation = (await lab.RunAsync(machine, "nix-store", "-q", "--deriver", built)).OrThrow().Output.Trim();
        (await lab.RunAsync(machine, "nix", "copy", "--to",
            $"file://{folder}?compression=none&write-nar-listing=true&index-debug-info=true", built)).OrThrow();
        (await lab.RunAsync(machine, "nix", "store", "copy-log", "--to", $"file://{folder}", derivation)).OrThrow();
        var path = ClientLab.PathOf(built);
        var narInfo = NarInfoOf(folder, path);
        var statement = new BuildStatement(path, narInfo.NarHash, narInfo.NarSize, narInfo.References);
        await lab.SubmitAsync("alice", [statement]);
        await lab.SubmitAsync("bob", [statement]);
        return (path, folder);
    }

    private static NarInfo NarInfoOf(string folder, StorePath path) =>
        NarInfo.TryParse(File.ReadAllBytes(Path.Combine(folder, $"{path.Digest}.narinfo")), out var narInfo, out var error) ? narInfo
            : throw new FormatException($"{path}: {error}");
}
