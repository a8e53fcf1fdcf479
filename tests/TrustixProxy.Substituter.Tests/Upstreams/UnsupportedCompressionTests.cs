using System.Net;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Upstreams;

/// <summary>A NAR whose compression cannot be verified is not offered; another upstream's is.</summary>
public sealed class UnsupportedCompressionTests
{
    private static readonly TestOutput Output = TestOutput.Make();

    [Fact]
    public async Task A_path_whose_only_nar_cannot_be_verified_is_refused_with_the_reason()
    {
        await using var proxy = await StartAsync();

        var answer = await proxy.AskAsync(Output.Path);

        Assert.Equal(HttpStatusCode.NotFound, answer.Status);
        Assert.Contains("main=unsupported-compression: no proxy can verify", answer.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(proxy.Upstream().Requests, request => request.Contains("/nar/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Another_upstream_gives_the_nar()
    {
        await using var proxy = await StartAsync();
        (await proxy.AddUpstreamAsync("spare")).Add(Output, "xz");
        await proxy.RestartAsync();

        var narInfo = await proxy.NarInfoAsync(Output);

        Assert.Equal("xz", narInfo.Compression);
        Assert.Equal(Output.File("xz"), await proxy.NarAsync(narInfo));
    }

    [Theory]
    [InlineData("lz4")]
    [InlineData("lzma")]
    public async Task A_compression_that_is_seldom_used_is_served_decompressed(string compression)
    {
        await using var proxy = await StartAsync();
        proxy.Upstream().Add(Output, compression);
        await proxy.RestartAsync();

        var narInfo = await proxy.NarInfoAsync(Output);

        Assert.Equal("none", narInfo.Compression);
        Assert.Equal(Output.Nar, await proxy.NarAsync(narInfo));
    }

    /// <summary>A proxy whose one upstream calls its file lzop.</summary>
    private static async Task<TestProxy> StartAsync()
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(Output, "alice", "bob", "carol");
        proxy.Upstream().Add(Output, "xz", text => text.Replace("Compression: xz", "Compression: lzop", StringComparison.Ordinal));
        return await proxy.StartAsync();
    }
}
