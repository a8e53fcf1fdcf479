using System.Text.Json.Nodes;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Clients;

/// <summary>Client certificates with real Nix and curl, on both sides: at our own door, and at an upstream that demands one.</summary>
/// <remarks>The upstream is another proxy. Older versions of Nix send no client certificates.</remarks>
[Collection(ClientLabCollection.Name)]
public sealed class TlsTests(ClientLab lab) : IDisposable
{
    private const string Version = "2.34";

    private readonly TestAuthority _authority = new(
        Directory.CreateDirectory(Path.Combine(lab.Directory, $"tls-{Guid.NewGuid():n}")).FullName);

    private string Folder => Path.GetDirectoryName(_authority.File)!;

    public void Dispose() => _authority.Dispose();

    [ClientFact(Version)]
    public async Task Nix_substitutes_with_its_certificate_through_an_upstream_that_demands_ours_and_not_without()
    {
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var upstream = await lab.StartProxyAsync(Close, cache.Url);
        var us = _authority.Issue("us");
        await using var proxy = await lab.StartProxyAsync(configuration => Show(Close, configuration, us), upstream.Url);
        using var foreign = new TestAuthority(Folder, "foreign");
        var alice = Machine("alice", proxy, _authority.Issue("alice", usage: TestAuthority.Client));
        var others = new[]
        {
            Machine("nobody", proxy, null),
            Machine("expired", proxy, _authority.Issue("expired", until: TimeProvider.System.GetUtcNow().AddDays(-1))),
            Machine("stranger", proxy, foreign.Issue("stranger")),
        };

        (await lab.RunAsync(alice, "nix-store", "-r", lab.Outputs["top"].Absolute)).OrThrow();
        await lab.AssertVerifiedAsync(alice, lab.Closure);
        foreach (var other in others)
        {
            var refused = await lab.RunAsync(other, "nix-store", "-r", lab.Outputs["top"].Absolute);
            Assert.True(refused.Code is not 0, refused.ToString());
            Assert.False(await lab.IsValidAsync(other, lab.Outputs["top"]));
        }
    }

    [ClientFact(Version)]
    public async Task Curl_is_told_why_it_is_refused_and_a_new_list_and_a_new_certificate_count_without_a_restart()
    {
        _authority.Revoke([]);
        await using var cache = await FaultyCache.StartAsync(lab.CacheOf("xz"));
        await using var upstream = await lab.StartProxyAsync(Close, cache.Url);
        var us = _authority.Issue("us");
        await using var proxy = await lab.StartProxyAsync(configuration => Show(_ => { }, configuration, us), upstream.Url);
        var bob = _authority.Issue("bob");

        Assert.Equal("200", (await CurlAsync(upstream, bob)).Status);
        Assert.Contains("requires a client certificate", (await CurlAsync(upstream, null)).Text, StringComparison.Ordinal);
        Assert.Equal(200, (await proxy.AskAsync($"{lab.Outputs["big"].Digest}.narinfo")).Status);
        _authority.Revoke(["bob", "us"]);
        await UntilAsync(async () => (await CurlAsync(upstream, bob)).Status is "403");
        Assert.Contains("the client certificate 'bob' was revoked by its authority", (await CurlAsync(upstream, bob)).Text,
            StringComparison.Ordinal);
        Assert.NotEqual(200, (await proxy.AskAsync($"{lab.Outputs["top"].Digest}.narinfo")).Status);
        _authority.Issue("us");
        await UntilAsync(async () => (await proxy.AskAsync($"{lab.Outputs["top"].Digest}.narinfo")).Status is 200);
    }

    /// <summary>Has a proxy listen with TLS, and let in only clients with certificates.</summary>
    private void Close(JsonObject configuration)
    {
        var (file, key) = _authority.Issue($"door-{Guid.NewGuid():n}", usage: TestAuthority.Server);
        configuration["listen"] = new JsonArray("https://127.0.0.1:0");
        configuration["tls"] = new JsonObject { ["certificateFile"] = file, ["keyFile"] = key };
        configuration["clients"] = new JsonObject { ["certificateAuthorityFile"] = _authority.File };
        if (File.Exists(_authority.ListFile))
        {
            configuration["clients"]!["revocationListFile"] = _authority.ListFile;
        }
    }

    /// <summary>Has a proxy show a certificate to its upstream.</summary>
    private void Show(Action<JsonObject> change, JsonObject configuration, (string File, string Key) own)
    {
        change(configuration);
        var upstream = configuration["upstreams"]![0]!;
        (upstream["clientCertificateFile"], upstream["clientKeyFile"], upstream["caFile"]) = (own.File, own.Key, _authority.File);
    }

    private Machine Machine(string name, Proxy proxy, (string File, string Key)? own)
    {
        var query = own is { } files ? $"?tls-certificate={files.File}&tls-private-key={files.Key}" : "";
        return Clients.Machine.Substituting(Version, $"tls-{name}", $"{proxy.Url}{query}", proxy.PublicKey) with
        {
            Variables = new() { ["NIX_SSL_CERT_FILE"] = _authority.File },
        };
    }

    private async Task<(string Status, string Text)> CurlAsync(Proxy proxy, (string File, string Key)? own)
    {
        string[] shown = own is { } files ? ["--cert", files.File, "--key", files.Key] : [];
        var said = (await Shell.RunAsync(
            "curl", ["-sS", "--cacert", _authority.File, .. shown, "-w", "\n%{http_code}", $"{proxy.Url}/nix-cache-info"])).OrThrow();
        var end = said.Output.LastIndexOf('\n');
        return (said.Output[(end + 1)..], said.Output[..end]);
    }
}
