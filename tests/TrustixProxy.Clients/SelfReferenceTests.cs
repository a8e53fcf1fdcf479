using System.Text.Json.Nodes;
using TrustixProxy.Nix;

namespace TrustixProxy.Clients;

/// <summary>Content addresses of paths that refer to themselves, as Nix 2.26 makes them. Other versions compute them in another
/// way.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class SelfReferenceTests(ClientLab lab)
{
    private const string Maker = "2.26";

    [ClientFact(Maker)]
    public async Task Where_a_quorum_vouches_every_version_takes_the_path_without_its_content_address()
    {
        var (path, folder, key) = await MakeAsync("vouched");
        await using var cache = await FaultyCache.StartAsync(folder);
        await using var proxy = await lab.StartProxyAsync(
            configuration =>
            {
                configuration["logs"] = new JsonArray();
                configuration["caches"] = new JsonArray(
                    new JsonObject { ["name"] = "elector", ["url"] = cache.Url, ["publicKeys"] = new JsonArray(key) });
                configuration["policy"] = new JsonObject { ["quorum"] = 1 };
            },
            cache.Url);

        var upstream = await File.ReadAllTextAsync(Path.Combine(folder, $"{path.Digest}.narinfo"));
        var answer = await proxy.AskAsync($"{path.Digest}.narinfo");

        Assert.Contains("CA: fixed:r:sha256:", upstream, StringComparison.Ordinal);
        Assert.Equal((200, "agreed"), (answer.Status, answer.Decision));
        Assert.DoesNotContain("CA:", answer.Text, StringComparison.Ordinal);
        foreach (var client in NixClient.AtHand)
        {
            var machine = Machine.Substituting(client.Version, "self-vouched", proxy.Url, proxy.PublicKey);
            (await lab.RunAsync(machine, "nix-store", "-r", path.Absolute)).OrThrow();
            await lab.AssertVerifiedAsync(machine, [path]);
        }
    }

    [ClientFact(Maker)]
    public async Task What_was_refused_for_its_content_is_not_offered_again()
    {
        var (path, folder, _) = await MakeAsync("unvouched");
        await using var cache = await FaultyCache.StartAsync(folder);
        await using var proxy = await lab.StartProxyAsync(cache.Url);
        var machine = Machine.Substituting(Maker, "self-unvouched", proxy.Url, proxy.PublicKey);

        var before = await proxy.AskAsync($"{path.Digest}.narinfo");
        await lab.RunAsync(machine, "nix-store", "-r", path.Absolute);
        var taken = await lab.IsValidAsync(machine, path);
        var after = await proxy.AskAsync($"{path.Digest}.narinfo");

        Assert.Equal((200, "content-addressed"), (before.Status, before.Decision));
        Assert.Equal(taken ? 200 : 404, after.Status);
    }

    /// <summary>Builds a path that names itself, makes it content-addressed, and copies it to a signed cache.</summary>
    private async Task<(StorePath Path, string Folder, string PublicKey)> MakeAsync(string name)
    {
        var expression = Path.Combine(lab.Directory, $"self-{name}.nix");
        await File.WriteAllTextAsync(expression, $$"""
            derivation {
              name = "self-{{name}}"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo $out > $out" ];
            }
            """);
        var (key, folder) = (Path.Combine(lab.Directory, $"self-{name}.key"), lab.CacheOf($"self-{name}"));
        var publicKey = (await Daemon.RunAsync(["keygen", key, "--name", $"self-{name}-1"])).OrThrow().Output.Trim();
        var machine = new Machine(NixClient.Of(Maker), $"self-{name}");
        var built = (await lab.RunAsync(machine, "nix-build", expression, "--no-out-link")).OrThrow().Output.Trim();
        var rewritten = (await lab.RunAsync(machine, "nix", "store", "make-content-addressed", "--json", built)).OrThrow().Output;
        var path = ClientLab.PathOf(JsonNode.Parse(rewritten)!["rewrites"]![built]!.GetValue<string>());
        (await lab.RunAsync(machine, "nix", "copy", "--to", $"file://{folder}?compression=none&secret-key={key}", path.Absolute)).OrThrow();
        return (path, folder, publicKey);
    }
}
