using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Clients;

/// <summary>What each version of Nix builds reaches the logs through the post-build hook, and other machines through the proxy.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class BuildingTests(ClientLab lab)
{
    [Theory]
    [EachClient]
    public async Task What_two_machines_built_and_published_a_third_one_substitutes(string version)
    {
        var expression = await ExpressionAsync($"built-{version}");
        var cache = lab.CacheOf($"built-{version}");
        StorePath? built = null;
        foreach (var log in new[] { "alice", "bob" })
        {
            var (builder, spool) = Builder(version, $"hook-{log}");
            built = ClientLab.PathOf((await lab.RunAsync(builder, "nix-build", expression, "--no-out-link")).OrThrow().Output.Trim());
            await DescribedAsync(spool);
            Assert.StartsWith("published 1 path", (await lab.PublishAsync(spool, log)).OrThrow().Output, StringComparison.Ordinal);
            (await lab.RunAsync(builder, "nix", "copy", "--to", $"file://{cache}", built.Absolute)).OrThrow();
        }

        await using var served = await FaultyCache.StartAsync(cache);
        await using var proxy = await lab.StartProxyAsync(served.Url);
        var machine = Machine.Substituting(version, "third", proxy.Url, proxy.PublicKey);
        (await lab.RunAsync(machine, "nix-store", "-r", built!.Absolute)).OrThrow();

        await lab.AssertVerifiedAsync(machine, [built]);
    }

    [Theory]
    [EachClient]
    public async Task A_fetched_path_that_is_built_again_is_published(string version)
    {
        var expression = await ExpressionAsync($"again-{version}");
        var cache = lab.CacheOf($"again-{version}");
        var other = new Machine(NixClient.Of(version), $"other-{version}");
        var path = (await lab.RunAsync(other, "nix-build", expression, "--no-out-link")).OrThrow().Output.Trim();
        (await lab.RunAsync(other, "nix", "copy", "--to", $"file://{cache}", path)).OrThrow();
        await using var served = await FaultyCache.StartAsync(cache);
        var (builder, spool) = Builder(version, "rebuilds", ("substituters", $"{served.Url}?trusted=1"));
        (await lab.RunAsync(builder, "nix-store", "-r", path)).OrThrow();
        Assert.Empty(Directory.GetFiles(spool, "*.job"));

        (await lab.RunAsync(builder, "nix", "build", "--rebuild", "--no-link", "-f", expression)).OrThrow();

        await DescribedAsync(spool);
        Assert.StartsWith("published 1 path", (await lab.PublishAsync(spool, "alice")).OrThrow().Output, StringComparison.Ordinal);
    }

    /// <summary>A machine with the hook that we ship, and its spool.</summary>
    private (Machine Machine, string Spool) Builder(string version, string name, params (string Name, string Value)[] settings)
    {
        var hook = Path.Combine(lab.Directory, "post-build-hook");
        var spool = Directory.CreateDirectory(Path.Combine(lab.Directory, $"spool-{name}-{version}")).FullName;
        RunnableFile.Copy(Path.Combine(AppContext.BaseDirectory, "post-build-hook"), hook);
        var machine = new Machine(NixClient.Of(version), $"{name}-{version}", [.. settings, ("post-build-hook", hook)])
        {
            Variables = new() { ["TRUSTIX_SPOOL"] = spool },
        };
        return (machine, spool);
    }

    /// <summary>Waits until the hook's background process has described the one job.</summary>
    private static Task DescribedAsync(string spool) =>
        Eventually.UntilAsync(() => Directory.GetFiles(spool, "*.job").Length is 1 && Directory.GetFiles(spool, "*.info").Length is 1, 60);

    private async Task<string> ExpressionAsync(string name)
    {
        var file = Path.Combine(lab.Directory, $"{name}.nix");
        await File.WriteAllTextAsync(file, $$"""
            derivation {
              name = "{{name}}"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo {{name}} > $out" ];
            }
            """);
        return file;
    }
}
