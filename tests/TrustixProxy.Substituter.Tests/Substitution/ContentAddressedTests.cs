using System.Net;
using System.Security.Cryptography;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Substitution;

/// <summary>Paths that their content address makes: served without a vote, unsigned, and only with that content.</summary>
public sealed class ContentAddressedTests
{
    private static readonly byte[] Contents = RandomNumberGenerator.GetBytes(5000);

    [Theory]
    [InlineData("fixed:sha256", "none")]
    [InlineData("fixed:sha512", "xz")]
    [InlineData("fixed:r:sha256", "zstd")]
    [InlineData("fixed:r:sha512", "none")]
    [InlineData("text:sha256", "none")]
    public async Task It_is_served_with_its_address_and_without_our_signature(string method, string compression)
    {
        await using var proxy = new TestProxy();
        var (output, address) = Make(method, Contents);
        (await proxy.AddUpstreamAsync("main")).Add(output, compression, text => text + $"CA: {address}\n");
        await proxy.StartAsync();

        var answer = await proxy.AskAsync(output.Path);
        var narInfo = Read(answer.Text);

        Assert.Equal((HttpStatusCode.OK, "content-addressed"), (answer.Status, answer.Decision));
        Assert.Equal((address, 0), (narInfo.ContentAddress, narInfo.Signatures.Length));
        Assert.Equal(output.File(compression), await proxy.NarAsync(narInfo));
    }

    [Fact]
    public async Task Content_of_another_address_never_comes_whole_though_it_has_the_hash_that_its_upstream_names()
    {
        await using var proxy = new TestProxy();
        var (output, address) = Make("fixed:sha256", Contents);
        var forged = TestOutput.At(output.Path, RandomNumberGenerator.GetBytes(300_000));
        (await proxy.AddUpstreamAsync("main")).Add(forged, "none", text => text + $"CA: {address}\n");
        await proxy.StartAsync();

        var narInfo = Read((await proxy.AskAsync(output.Path)).Text);

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => proxy.NarAsync(narInfo));
        Assert.Contains(proxy.Lines, line => line.Contains("(ContentAddress)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_agreement_on_it_is_signed_as_any_other()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        var (output, address) = Make("fixed:sha256", Contents);
        proxy.Publish(output, "alice", "bob");
        proxy.Upstream().Add(output, "none", text => text + $"CA: {address}\n");
        await proxy.StartAsync();

        Assert.Equal(address, (await proxy.NarInfoAsync(output)).ContentAddress);
    }

    [Fact]
    public async Task An_address_that_makes_another_path_or_a_weak_one_is_none()
    {
        await using var proxy = new TestProxy();
        var (_, address) = Make("fixed:sha256", Contents);
        var other = TestOutput.Make();
        (await proxy.AddUpstreamAsync("main")).Add(other, "none", text => text + $"CA: {address}\n");
        await proxy.StartAsync();

        Assert.Equal("undecided", (await proxy.AskAsync(other.Path)).Decision);
    }

    [Fact]
    public async Task It_can_be_turned_off()
    {
        await using var proxy = new TestProxy();
        var (output, address) = Make("fixed:sha256", Contents);
        (await proxy.AddUpstreamAsync("main")).Add(output, "none", text => text + $"CA: {address}\n");
        proxy.ChangePolicy = policy => new Policy(policy.Electors) { ServesContentAddressed = false };
        await proxy.StartAsync();

        Assert.Equal((HttpStatusCode.NotFound, "undecided"), await proxy.AskAsync(output.Path) is var answer
            ? (answer.Status, answer.Decision) : default);
    }

    private static NarInfo Read(string text) =>
        NarInfo.TryParse(System.Text.Encoding.ASCII.GetBytes(text), out var narInfo, out _) ? narInfo
        : throw new InvalidOperationException(text);

    private static (TestOutput Output, ContentAddress Address) Make(string method, byte[] contents)
    {
        var nar = TestOutput.Pack(writer => writer.File(contents));
        var hashed = method.Contains(":r:", StringComparison.Ordinal) ? nar : contents;
        var hash = method.EndsWith("sha512", StringComparison.Ordinal) ? SHA512.HashData(hashed) : SHA256.HashData(hashed);
        Assert.True(ContentAddress.TryParse($"{method}:{Nix32.Encode(hash)}", out var address));
        Assert.True(address.TryMakePath("source", [], self: false, out var path));
        return (TestOutput.At(path, contents), address);
    }
}
