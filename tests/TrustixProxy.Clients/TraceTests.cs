using System.Text.Json.Nodes;
using TrustixProxy.Nix;

namespace TrustixProxy.Clients;

/// <summary>Content-addressed derivations: a real client takes where an output was built to from the proxy, if caches agree.</summary>
[Collection(ClientLabCollection.Name)]
public sealed class TraceTests(ClientLab lab)
{
    private const string Version = "2.34";

    private static readonly (string, string) Features = ("experimental-features", "nix-command ca-derivations");

    [ClientFact(Version)]
    public async Task What_two_caches_agree_on_is_substituted_and_not_built()
    {
        var expression = await WriteAsync("agreed");
        await using var alice = await BuilderAsync(expression, "agreed-alice");
        await using var bob = await BuilderAsync(expression, "agreed-bob");
        await using var proxy = await StartAsync(alice, bob);
        var machine = Client("agreed", proxy);

        var built = (await BuildAsync(machine, expression)).OrThrow();

        Assert.Equal(alice.Path.Absolute, built.Output.Trim());
        Assert.DoesNotContain("building '", built.Error, StringComparison.Ordinal);
        Assert.Equal(alice.Path, bob.Path);
        Assert.Contains(alice.Cache.Requests, request => request.StartsWith("/realisations/", StringComparison.Ordinal));
        await lab.AssertVerifiedAsync(machine, [alice.Path]);
    }

    [ClientFact(Version)]
    public async Task A_forged_trace_of_one_of_two_caches_is_refused_and_of_one_in_three_outvoted()
    {
        var (expression, decoy) = (await WriteAsync("forged"), await WriteAsync("decoy"));
        await using var alice = await BuilderAsync(expression, "forged-alice");
        await using var bob = await BuilderAsync(expression, "forged-bob");
        await using var mallory = await BuilderAsync(expression, "forged-mallory");
        await using var other = await BuilderAsync(decoy, "forged-decoy");
        mallory.Forge(other.Path);
        await using var two = await StartAsync(alice, mallory);
        await using var three = await StartAsync(alice, bob, mallory);

        var refused = await BuildAsync(Client("forged-two", two), expression);
        var served = (await BuildAsync(Client("forged-three", three), expression)).OrThrow();
        var answer = await two.AskAsync(alice.TraceAddress);

        Assert.NotEqual(0, refused.Code);
        Assert.Equal((404, "conflict"), (answer.Status, answer.Decision));
        Assert.Contains($"{alice.Path}", answer.Text, StringComparison.Ordinal);
        Assert.Contains($"{other.Path}", answer.Text, StringComparison.Ordinal);
        Assert.Equal(alice.Path.Absolute, served.Output.Trim());
    }

    [ClientFact(Version)]
    public async Task Where_the_caches_differ_the_client_builds()
    {
        var (expression, decoy) = (await WriteAsync("differ"), await WriteAsync("differ-decoy"));
        await using var alice = await BuilderAsync(expression, "differ-alice");
        await using var mallory = await BuilderAsync(expression, "differ-mallory");
        await using var other = await BuilderAsync(decoy, "differ-decoy");
        mallory.Forge(other.Path);
        await using var proxy = await StartAsync(alice, mallory);

        var built = (await lab.RunAsync(
            Client("differ", proxy), "nix", "build", "-f", expression, "--no-link", "--print-out-paths", "-L")).OrThrow();

        Assert.Equal(alice.Path.Absolute, built.Output.Trim());
        Assert.Contains("differ> built", built.Error, StringComparison.Ordinal);
    }

    /// <summary>Asks for an output that this client may not build.</summary>
    private Task<Result> BuildAsync(Machine machine, string expression) => lab.RunAsync(
        machine, "nix", "build", "-f", expression, "--no-link", "--print-out-paths", "--max-jobs", "0", "-L");

    private static Machine Client(string name, Proxy proxy) => new(
        NixClient.Of(Version), $"trace-{name}", Features, ("substituters", proxy.Url), ("trusted-public-keys", proxy.PublicKey));

    private async Task<string> WriteAsync(string name)
    {
        var file = Path.Combine(lab.Directory, $"trace-{name}.nix");
        await File.WriteAllTextAsync(file, $$"""
            derivation {
              name = "{{name}}"; system = builtins.currentSystem; builder = "/bin/sh";
              __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256";
              args = [ "-c" "echo built; echo {{name}} > $out" ];
            }
            """);
        return file;
    }

    /// <summary>Builds on a machine of its own, signs, and serves the result.</summary>
    private async Task<SigningCache> BuilderAsync(string expression, string name)
    {
        var (key, folder) = (Path.Combine(lab.Directory, $"trace-{name}.key"), lab.CacheOf($"trace-{name}"));
        var publicKey = (await Daemon.RunAsync(["keygen", key, "--name", $"{name}-1"])).OrThrow().Output.Trim();
        var machine = new Machine(NixClient.Of(Version), $"trace-{name}", Features, ("secret-key-files", key));
        var built = (await lab.RunAsync(machine, "nix", "build", "-f", expression, "--no-link", "--print-out-paths")).OrThrow();
        (await lab.RunAsync(machine, "nix", "copy", "--to", $"file://{folder}?secret-key={key}", "-f", expression)).OrThrow();
        return new SigningCache(
            name, await FaultyCache.StartAsync(folder), folder, key, publicKey, ClientLab.PathOf(built.Output.Trim()));
    }

    /// <summary>A proxy that these caches vote in, two of which must agree.</summary>
    private Task<Proxy> StartAsync(params SigningCache[] caches) => lab.StartProxyAsync(
        configuration =>
        {
            configuration["logs"] = new JsonArray();
            configuration["caches"] = new JsonArray([.. caches.Select(cache => new JsonObject
            {
                ["name"] = cache.Name,
                ["url"] = cache.Cache.Url,
                ["publicKeys"] = new JsonArray(cache.PublicKey),
            })]);
            configuration["policy"] = new JsonObject { ["quorum"] = 2 };
        },
        [.. caches.Select(cache => cache.Cache.Url)]);

    private sealed record SigningCache(
        string Name, FaultyCache Cache, string Folder, string KeyFile, string PublicKey, StorePath Path) : IAsyncDisposable
    {
        private string TraceFile => Directory.GetFiles(System.IO.Path.Combine(Folder, "realisations"), "*!out.doi").Single();

        public string TraceAddress => $"realisations/{System.IO.Path.GetFileName(TraceFile)}";

        /// <summary>Signs that the output is another path.</summary>
        public void Forge(StorePath path)
        {
            if (!TraceKey.TryParse(TraceAddress, out var key)
                || !NixSecretKey.TryParse(File.ReadAllText(KeyFile).Trim(), out var secret, out _))
            {
                throw new FormatException(TraceAddress);
            }

            File.WriteAllText(TraceFile, BuildTrace.Write(key, path, secret));
        }

        public ValueTask DisposeAsync() => Cache.DisposeAsync();
    }
}
