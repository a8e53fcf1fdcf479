using System.Net;
using System.Net.Http.Headers;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Delivery;

/// <summary>Deliveries whose upstream turns out to be wrong after the client has bytes of it. Another upstream's file follows.</summary>
public sealed class OtherUpstreamTests
{
    private const int Size = 3_000_000;

    [Theory]
    [InlineData("xz", 0, true)]
    [InlineData("zstd", 0, true)]
    [InlineData("br", 400_000, true)]
    [InlineData("gzip", 0, false)]
    [InlineData("bzip2", 700_000, false)]
    public async Task A_file_that_ends_at_half_is_gone_on_with_from_the_next_upstream(string compression, int from, bool hasLength)
    {
        var output = TestOutput.Make(size: Size);
        var file = output.File(compression);
        await using var proxy = await AgreedAsync(output, compression);
        var narInfo = await proxy.NarInfoAsync(output);
        Serve(proxy, file[..(file.Length / 2)], hasLength ? file.Length / 2 : null);

        var (status, body) = await GetAsync(proxy, narInfo, from);

        Assert.Equal(from > 0 && hasLength ? HttpStatusCode.PartialContent : HttpStatusCode.OK, status);
        Assert.Equal(status is HttpStatusCode.OK ? file : file[from..], body);
    }

    [Fact]
    public async Task A_client_that_was_given_bytes_that_the_next_file_does_not_have_is_cut()
    {
        var output = TestOutput.Make(size: Size);
        await using var proxy = await AgreedAsync(output, "none");
        var narInfo = await proxy.NarInfoAsync(output);
        var wrong = (byte[])output.Nar.Clone();
        wrong[1000] ^= 1;
        Serve(proxy, wrong, wrong.Length);

        await Assert.ThrowsAsync<HttpRequestException>(() => GetAsync(proxy, narInfo, from: 0));
        Assert.Equal(output.Nar, (await GetAsync(proxy, narInfo, from: 0)).Body);
    }

    [Fact]
    public async Task A_range_that_begins_behind_a_wrong_byte_is_whole()
    {
        var output = TestOutput.Make(size: Size);
        await using var proxy = await AgreedAsync(output, "none");
        var narInfo = await proxy.NarInfoAsync(output);
        var wrong = (byte[])output.Nar.Clone();
        wrong[1000] ^= 1;
        Serve(proxy, wrong, wrong.Length);

        Assert.Equal(output.Nar[2000..], (await GetAsync(proxy, narInfo, from: 2000)).Body);
    }

    [Fact]
    public async Task A_file_of_another_length_than_its_narinfo_says_is_taken_from_a_lone_upstream()
    {
        var output = TestOutput.Make(size: Size);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(output, "alice", "bob");
        var size = $"FileSize: {output.File("zstd").Length}";
        proxy.Upstream().Add(output, "zstd", narInfo => narInfo.Replace(size, "FileSize: 5", StringComparison.Ordinal));
        await proxy.StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);

        Assert.Equal(output.File("zstd"), await proxy.NarAsync(narInfo));
        Assert.Equal(output.File("zstd")[9..], (await GetAsync(proxy, narInfo, from: 9)).Body);
    }

    private static async Task<TestProxy> AgreedAsync(TestOutput output, string compression)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("spare");
        proxy.Publish(output, "alice", "bob");
        proxy.Upstream().Add(output, compression);
        proxy.Upstream("spare").Add(output, compression);
        proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(10) };
        return await proxy.StartAsync();
    }

    /// <summary>Has the first upstream send a file whatever NAR and range it is asked for, with or without its length.</summary>
    private static void Serve(TestProxy proxy, byte[] file, int? length) => proxy.Upstream().Intercept = async context =>
    {
        if (!context.Request.Path.StartsWithSegments("/nar"))
        {
            return false;
        }

        context.Response.ContentLength = length;
        await context.Response.Body.WriteAsync(file);
        return true;
    };

    private static async Task<(HttpStatusCode Status, byte[] Body)> GetAsync(TestProxy proxy, NarInfo narInfo, int from)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, narInfo.Url));
        request.Headers.Range = from > 0 ? new RangeHeaderValue(from, null) : null;
        using var response = await proxy.Client.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsByteArrayAsync());
    }
}
