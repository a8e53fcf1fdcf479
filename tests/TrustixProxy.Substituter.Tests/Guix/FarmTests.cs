using System.Net;
using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Guix;

/// <summary>Clients of GNU Guix get what its two build farms agree on, and nothing else.</summary>
public sealed class FarmTests
{
    [Fact]
    public async Task What_both_farms_signed_is_served_with_our_signature()
    {
        var (stage, output) = await FarmStage.StartAsync();
        await using var owned = stage;

        var narInfo = await stage.NarInfoAsync(output);

        Assert.Equal(("none", output.Nar.Length), (narInfo.Compression, narInfo.FileSize));
        Assert.Equal(output.Nar, await stage.Proxy.NarAsync(narInfo));
    }

    [Fact]
    public async Task The_deriver_stands_below_the_signature_and_lifetimes_are_told()
    {
        var (stage, output) = await FarmStage.StartAsync();
        await using var owned = stage;

        using var response = await stage.Proxy.Client.GetAsync(new Uri(stage.Proxy.Url, $"{output.Path.Digest}.narinfo"));
        using var refused = await stage.Proxy.Client.GetAsync(new Uri(stage.Proxy.Url, $"{TestOutput.PathOf("x").Digest}.narinfo"));
        var text = await response.Content.ReadAsStringAsync();

        Assert.Equal("application/x-nix-narinfo", response.Content.Headers.ContentType?.ToString());
        Assert.Equal(TimeSpan.FromHours(1), response.Headers.CacheControl?.MaxAge);
        Assert.Equal(TimeSpan.FromMinutes(1), refused.Headers.CacheControl?.MaxAge);
        Assert.Equal(["StorePath", "NarHash", "NarSize", "References", "Signature", "Deriver", "URL", "Compression", "FileSize"],
            text.TrimEnd('\n').Split('\n').Select(line => line.Split(':')[0]));
    }

    [Fact]
    public async Task The_key_and_the_store_are_told()
    {
        var (stage, _) = await FarmStage.StartAsync();
        await using var owned = stage;

        Assert.Equal(stage.Key.ToLines(), (await stage.Proxy.AskAsync("signing-key.pub")).Text);
        Assert.StartsWith("StoreDir: /gnu/store\n", (await stage.Proxy.AskAsync("nix-cache-info")).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_builds_of_one_path_are_a_conflict()
    {
        var (stage, output) = await FarmStage.StartAsync();
        await using var owned = stage;
        stage.Bordeaux.Add(output.Forge());

        var answer = await stage.AskAsync(output);

        Assert.Equal((HttpStatusCode.NotFound, "conflict"), (answer.Status, answer.Decision));
    }

    [Fact]
    public async Task With_a_farm_down_nothing_is_decided()
    {
        var (stage, output) = await FarmStage.StartAsync();
        await using var owned = stage;
        await stage.Bordeaux.StopAsync();

        var answer = await stage.AskAsync(output);

        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (answer.Status, answer.Decision));
    }

    [Theory]
    [InlineData("head")]
    [InlineData("unsigned-size")]
    [InlineData("other-key")]
    [InlineData("no-signature")]
    public async Task What_a_farm_did_not_sign_is_no_vote(string kind)
    {
        var (stage, output) = await FarmStage.StartAsync();
        await using var owned = stage;
        stage.Bordeaux.ChangeHead = head => kind is "unsigned-size" ? head.Replace(SizeOf(head), "", StringComparison.Ordinal) : head;
        stage.Bordeaux.Add(output, Altered(kind, output), kind is "other-key" ? new GuixFarmKey("mallory") : null);

        var answer = await stage.AskAsync(output);

        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (answer.Status, answer.Decision));
        Assert.Contains("bordeaux=", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_corrupt_nar_of_one_farm_is_taken_from_the_other()
    {
        var (stage, output) = await FarmStage.StartAsync();
        await using var owned = stage;
        var other = TestOutput.Make();
        stage.Ci.Twist = _ => other.File("zstd");

        Assert.Equal(output.Nar, await stage.Proxy.NarAsync(await stage.NarInfoAsync(output)));
    }

    [Theory]
    [InlineData("none")]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public async Task A_nar_is_asked_for_on_a_connection_of_its_own(string compression)
    {
        var (stage, output) = await FarmStage.StartAsync();
        await using var owned = stage;
        stage.Ci.Add(output, null, null, compression);

        Assert.Equal(output.Nar, await stage.Proxy.NarAsync(await stage.NarInfoAsync(output)));
        Assert.All(stage.Ci.Requests.Where(request => request.Contains("/nar/", StringComparison.Ordinal)), request =>
            Assert.EndsWith(" close", request, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("x-deriver-below", "/nar/lzip/", "hello.nar.lz")]
    [InlineData("x-signature-last", "/nar/lzip/", "hello.nar.lz")]
    [InlineData("hello.alice", "/nar/zstd/", "hello.nar.zst")]
    public async Task What_guix_publish_itself_signed_and_packed_is_served(string narInfo, string folder, string file)
    {
        const string digest = "k8scqbka0sbl2nm9bakwwnlxc8njwg7d";
        await using var stage = await FarmStage.PrepareAsync();
        stage.Ci.Serve($"/{digest}.narinfo", Vector($"{narInfo}.narinfo"));
        stage.Bordeaux.Serve($"/{digest}.narinfo", Vector("hello.bob.narinfo"));
        stage.Ci.Serve($"{folder}{digest}-hello-1.0", Vector(file));
        stage.Proxy.Caches.Clear();
        stage.Proxy.Caches.AddRange([Cache("alice", stage.Ci), Cache("bob", stage.Bordeaux)]);
        await stage.Proxy.StartAsync();

        var answer = await stage.Proxy.AskAsync($"{digest}.narinfo");

        Assert.Equal((HttpStatusCode.OK, "agreed"), (answer.Status, answer.Decision));
        Assert.True(NarInfo.TryParse(Encoding.ASCII.GetBytes(answer.Text), Store.Guix, out var read, out _));
        Assert.Equal(Vector("hello.nar"), await stage.Proxy.NarAsync(read));
    }

    [Fact]
    public async Task A_log_can_stand_in_for_a_farm()
    {
        var (stage, output) = (await FarmStage.PrepareAsync(), TestOutput.Make());
        await using var owned = stage;
        var log = await stage.Proxy.AddLogAsync("alice");
        stage.Ci.Add(output);
        log.Publish(output.Statement with { Path = FakeFarm.PathOf(output) });
        await stage.Proxy.StartAsync();

        var narInfo = await stage.NarInfoAsync(output);

        Assert.Equal(output.Nar, await stage.Proxy.NarAsync(narInfo));
    }

    [Fact]
    public async Task What_is_revoked_is_served_no_longer()
    {
        var (stage, output) = await FarmStage.StartAsync();
        await using var owned = stage;
        var narInfo = await stage.NarInfoAsync(output);
        using var revoker = new Revoker(stage.Proxy.Options!);
        await revoker.RevokeAsync(new RevokedSubject.Path(output.Path.Digest), isUndone: false, "it phones home", default);

        var (told, nar) = (await stage.AskAsync(output), await stage.Proxy.AskAsync(narInfo.Url));

        Assert.Equal((HttpStatusCode.NotFound, "revoked"), (told.Status, told.Decision));
        Assert.Equal((HttpStatusCode.NotFound, "revoked"), (nar.Status, nar.Decision));
    }

    [Fact]
    public async Task After_a_restart_kept_decisions_are_the_same_bytes()
    {
        var (stage, output) = await FarmStage.StartAsync();
        await using var owned = stage;
        var before = await stage.AskAsync(output);

        await stage.Proxy.StopAsync();
        await stage.Ci.StopAsync();
        await stage.Bordeaux.StopAsync();
        await stage.Proxy.StartAsync();

        Assert.Equal(before, await stage.AskAsync(output));
        Assert.Equal("agreed", before.Decision);
    }

    [Fact]
    public async Task While_it_reports_the_fallbacks_own_signed_text_is_served()
    {
        var (stage, output) = await FarmStage.StartAsync(policy =>
            new Policy([.. policy.Electors], quorum: 2) { Store = Store.Guix, Fallback = "ci" });
        await using var owned = stage;
        stage.Bordeaux.Add(output.Forge());

        var answer = await stage.AskAsync(output);

        Assert.Equal((HttpStatusCode.OK, "report"), (answer.Status, answer.Decision));
        Assert.True(NarInfo.TryParse(Encoding.ASCII.GetBytes(answer.Text), Store.Guix, out var narInfo, out _));
        Assert.NotNull(stage.Ci.Key.PublicKey.FindSignature(narInfo));
        Assert.Null(stage.Key.FindSignature(narInfo));
        Assert.Equal(output.Nar, await stage.Proxy.NarAsync(narInfo));
    }

    private static Func<string, string> Altered(string kind, TestOutput output) => text => kind switch
    {
        "head" => text.Replace("NarSize: 1", "NarSize: 2", StringComparison.Ordinal),
        "unsigned-size" => text.Replace("URL: nar/gzip", $"NarSize: {output.Nar.Length}\nURL: nar/gzip", StringComparison.Ordinal),
        "no-signature" => string.Join('\n', text.Split('\n').Where(line => !line.StartsWith("Signature:", StringComparison.Ordinal))),
        _ => text,
    };

    private static byte[] Vector(string file) => File.ReadAllBytes($"Vectors/guix/{file}");

    private static CacheOptions Cache(string name, FakeFarm farm) =>
        GuixPublicKey.TryParse(Encoding.ASCII.GetString(Vector($"{name}.pub")), out var key, out _)
            ? new CacheOptions(new Elector.Cache(name, name, [key]), farm.Url) : throw new ArgumentException(name);

    private static string SizeOf(string head) =>
        head.Split('\n').Single(line => line.StartsWith("NarSize:", StringComparison.Ordinal)) + "\n";
}
