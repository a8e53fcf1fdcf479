using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Upstreams;

/// <summary>NARs, small ones that are verified before a byte leaves and large ones that are verified on the way.</summary>
public sealed class NarTests
{
    private const int Small = 5_000, Large = 3_000_000;

    public static IEnumerable<object[]> Files() =>
        from compression in new[] { "none", "xz", "zstd", "bzip2", "br", "gzip" }
        from size in new[] { 0, Small, Large }
        select new object[] { compression, size };

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Each_compression_is_forwarded_as_it_is_and_has_its_hash(string compression, int size)
    {
        var output = TestOutput.Make(size: size);
        await using var proxy = await AgreedAsync(output, compression);

        var narInfo = await proxy.NarInfoAsync(output);
        using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, narInfo.Url));
        var bytes = await response.Content.ReadAsByteArrayAsync();

        Assert.Equal(output.File(compression), bytes);
        Assert.Equal((compression, bytes.Length, NixHash.Sha256(SHA256.HashData(bytes))),
            (narInfo.Compression, (int)narInfo.FileSize!, narInfo.FileHash));
        Assert.Equal(bytes.Length, response.Content.Headers.ContentLength);
        Assert.Equal(["bytes"], response.Headers.AcceptRanges);
        Assert.Equal("application/x-nix-nar", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("agreed", response.Headers.GetValues("X-Trustix-Decision").Single());
    }

    [Theory]
    [InlineData("xz")]
    [InlineData("zstd")]
    [InlineData("gzip")]
    public async Task A_file_whose_hash_nobody_names_is_served_decompressed(string compression)
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, compression, text => Drop(text, "FileHash", "FileSize"));

        var narInfo = await proxy.NarInfoAsync(output);

        Assert.Equal(
            ("none", output.Statement.NarHash, output.Nar.Length), (narInfo.Compression, narInfo.FileHash, (int)narInfo.FileSize!));
        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
    }

    public static IEnumerable<object[]> Lies() =>
        from lie in new[] { UpstreamLie.FlippedByte, UpstreamLie.FlippedLastByte, UpstreamLie.ShortFile, UpstreamLie.LongFile,
            UpstreamLie.CutFile, UpstreamLie.OtherFile, UpstreamLie.NoFile }
        from compression in new[] { "none", "zstd" }
        from size in new[] { Small, Large }
        select new object[] { lie, compression, size };

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task A_wrong_nar_is_never_completed(UpstreamLie lie, string compression, int size)
    {
        var output = TestOutput.Make(size: size);
        await using var proxy = await AgreedAsync(output, compression);
        proxy.Upstream().Add(TestOutput.Make("other", size), compression);
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Lie = lie;

        // The end of a compressed file may hold nothing of the NAR; then the right NAR in other bytes is all that can come.
        var nar = await FetchAsync(proxy, narInfo.Url);

        Assert.True(nar is null || (
            compression is "zstd" && lie is UpstreamLie.FlippedLastByte && nar.SequenceEqual(output.File(compression))), $"{nar?.Length}");
        Assert.Equal("agreed", (await proxy.AskAsync(output.Path)).Decision);
    }

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task The_next_try_goes_to_an_upstream_that_has_the_right_nar(UpstreamLie lie, string compression, int size)
    {
        var output = TestOutput.Make(size: size);
        await using var proxy = await AgreedAsync(output, compression);
        (await proxy.AddUpstreamAsync("spare")).Add(output, compression);
        proxy.Upstream().Add(TestOutput.Make("other", size), compression);
        await proxy.RestartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Lie = lie;

        var first = await FetchAsync(proxy, narInfo.Url);
        var second = await FetchAsync(proxy, narInfo.Url);
        using var headers = await proxy.Client.GetAsync(new Uri(proxy.Url, narInfo.Url), HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("agreed", headers.Headers.GetValues("X-Trustix-Decision").Single());

        Assert.True(first is null || first.SequenceEqual(output.File(compression)));
        Assert.Equal(output.File(compression), second);
        Assert.True(size is not Small || first is not null, "a small NAR is verified before a byte leaves, so the client notices nothing");
        Assert.True(lie is not UpstreamLie.CutFile || first is not null, "a NAR that breaks off goes on from the other upstream");
    }

    [Fact]
    public async Task A_nar_that_breaks_off_goes_on_from_an_upstream_with_the_same_file_with_or_without_ranges()
    {
        foreach (var knowsRanges in new[] { true, false })
        {
            var output = TestOutput.Make(size: Large);
            await using var proxy = await AgreedAsync(output, "xz");
            (await proxy.AddUpstreamAsync("spare")).Add(output, "xz");
            proxy.Upstream("spare").KnowsRanges = knowsRanges;
            await proxy.RestartAsync();
            var narInfo = await proxy.NarInfoAsync(output);
            proxy.Upstream().Lie = UpstreamLie.CutFile;

            Assert.Equal(output.File("xz"), await proxy.NarAsync(narInfo));
            Assert.Contains(proxy.Upstream("spare").Requests, request => request.EndsWith('-'));
        }
    }

    [Fact]
    public async Task A_nar_that_has_begun_to_come_when_time_is_up_comes_whole()
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "none");
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Intercept = async context =>
        {
            context.Response.ContentLength = output.Nar.Length;
            await context.Response.Body.WriteAsync(output.Nar.AsMemory(0, 100_000));
            await Task.Delay(TimeSpan.FromSeconds(3)); // the proxy's deadline is 2 s
            await context.Response.Body.WriteAsync(output.Nar.AsMemory(100_000));
            return true;
        };

        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
    }

    [Fact]
    public async Task A_splice_of_an_honest_beginning_and_a_lying_end_is_refused()
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "zstd");
        (await proxy.AddUpstreamAsync("liar")).Add(output, "zstd");
        await proxy.RestartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Lie = UpstreamLie.CutFile;
        proxy.Upstream("liar").Lie = UpstreamLie.FlippedLastByte;

        Assert.Null(await FetchAsync(proxy, narInfo.Url));
    }

    [Theory]
    [InlineData("none", Small)]
    [InlineData("none", Large)]
    [InlineData("xz", Small)]
    [InlineData("xz", Large)]
    public async Task A_range_gives_the_same_bytes_as_the_whole(string compression, int size)
    {
        var output = TestOutput.Make(size: size);
        await using var proxy = await AgreedAsync(output, compression);
        var narInfo = await proxy.NarInfoAsync(output);
        var file = output.File(compression);
        var middle = file.Length / 2;
        foreach (var (range, expected) in new (RangeHeaderValue, Range)[]
        {
            (new(middle, null), middle..), (new(0, null), ..), (new(file.Length - 1, null), ^1..), (new(1, middle), 1..(middle + 1)),
            (new(0, 0), ..1), (new(null, 10), ^10..), (new(middle, file.Length * 10L), middle..),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, narInfo.Url)) { Headers = { Range = range } };
            using var response = await proxy.Client.SendAsync(request);
            var bytes = await response.Content.ReadAsByteArrayAsync();

            Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
            Assert.Equal(file[expected], bytes);
            Assert.Equal((expected.Start.GetOffset(file.Length), file.Length),
                ((int)response.Content.Headers.ContentRange!.From!, (int)response.Content.Headers.ContentRange.Length!));
        }

        Assert.All(proxy.Upstream().Requests, request => Assert.DoesNotContain("bytes=", request, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_range_past_the_end_is_not_satisfiable_and_an_odd_one_is_passed_over()
    {
        var output = TestOutput.Make(size: Small);
        await using var proxy = await AgreedAsync(output, "none");
        var url = new Uri(proxy.Url, (await proxy.NarInfoAsync(output)).Url);

        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, (await SendAsync("bytes=9999999-")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("bytes=0-1,3-4")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("lines=0-1")).StatusCode);

        async Task<HttpResponseMessage> SendAsync(string range)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, url);
            request.Headers.TryAddWithoutValidation("Range", range);
            return await proxy.Client.SendAsync(request);
        }
    }

    [Theory]
    [InlineData("none")]
    [InlineData("zstd")]
    public async Task A_bounded_range_is_held_back_until_the_whole_nar_is_right(string compression)
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, compression);
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Lie = UpstreamLie.FlippedByte;
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, narInfo.Url)) { Headers = { Range = new(0, 99) } };

        using var response = await proxy.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode); // not a byte had left
    }

    [Theory]
    [InlineData(Small)]
    [InlineData(Large)]
    public async Task Other_bytes_that_hold_the_agreed_nar_answer_a_whole_request_without_promise_of_ranges_and_never_a_range(int size)
    {
        var output = TestOutput.Make(size: size);
        await using var proxy = await AgreedAsync(output, "xz");
        var narInfo = await proxy.NarInfoAsync(output);
        var other = TestOutput.Compress("xz", output.Nar[..(output.Nar.Length / 2)])
            .Concat(TestOutput.Compress("xz", output.Nar[(output.Nar.Length / 2)..])).ToArray();
        proxy.Upstream().AddFile("/" + output.NarInfo("xz").Url, other);

        Assert.Equal(other, await proxy.NarAsync(narInfo));
        using var again = await proxy.Client.GetAsync(new Uri(proxy.Url, narInfo.Url));
        Assert.Equal((HttpStatusCode.OK, 0), (again.StatusCode, again.Headers.AcceptRanges.Count));
        Assert.Equal(other, await again.Content.ReadAsByteArrayAsync());
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, narInfo.Url)) { Headers = { Range = new(1, null) } };
        using var range = await proxy.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.NotFound, range.StatusCode);
    }

    [Fact]
    public async Task A_nar_without_a_length_is_served_and_checked_all_the_same()
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "zstd", text => Drop(text, "FileSize"));
        proxy.Upstream().Lie = UpstreamLie.Chunked;

        Assert.Equal(output.File("zstd"), await proxy.NarAsync(await proxy.NarInfoAsync(output)));
    }

    [Theory]
    [InlineData("gzip", "none")]
    [InlineData("br", "xz")]
    [InlineData("identity", "none")]
    public async Task What_an_upstream_compresses_on_its_way_unasked_is_read_all_the_same(string encoding, string compression)
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, compression);
        proxy.Upstream().Intercept = async context =>
        {
            var body = context.Request.Path.Value!.EndsWith(".narinfo", StringComparison.Ordinal)
                ? System.Text.Encoding.UTF8.GetBytes(output.NarInfo(compression).ToString()) : output.File(compression);
            context.Response.Headers.ContentEncoding = encoding;
            await context.Response.Body.WriteAsync(encoding is "identity" ? body : TestOutput.Compress(encoding, body));
            return true;
        };

        Assert.Equal(output.File(compression), await proxy.NarAsync(await proxy.NarInfoAsync(output)));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    [InlineData("gzip, gzip")]
    public async Task A_narinfo_that_does_not_unpack_or_unpacks_to_too_much_is_none(string encoding)
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output, "none");
        proxy.Upstream().Intercept = async context =>
        {
            context.Response.Headers.ContentEncoding = encoding;
            await context.Response.Body.WriteAsync(encoding is "gzip" ? TestOutput.Compress("gzip", new byte[50 << 20])
                : System.Text.Encoding.UTF8.GetBytes(output.NarInfo().ToString()));
            return true;
        };

        Assert.Equal((HttpStatusCode.NotFound, "no-upstream"), await proxy.AskAsync(output.Path) is var answer
            ? (answer.Status, answer.Decision) : default);
    }

    [Fact]
    public async Task The_nar_route_is_a_gate_of_its_own()
    {
        var (agreed, lone) = (TestOutput.Make("agreed"), TestOutput.Make("lone"));
        var forged = agreed.Forge();
        await using var proxy = await AgreedAsync(agreed, "none");
        proxy.Publish(lone, "alice");
        proxy.Upstream().Add(forged);
        var url = (string path, NixHash hash) => $"nar/{path}/{hash.Digits}/{hash.Digits}.nar";

        var refused = await proxy.AskAsync(url(lone.Path.Digest.ToString(), lone.Statement.NarHash));
        var other = await proxy.AskAsync(url(agreed.Path.Digest.ToString(), forged.Statement.NarHash));

        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (refused.Status, refused.Decision));
        Assert.Equal(HttpStatusCode.NotFound, other.Status);
        Assert.DoesNotContain(proxy.Upstream().Requests, request => request.Contains("/nar/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_nar_whose_narinfo_was_given_before_a_restart_is_served_after_it_also_when_all_is_decided_anew()
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output, "xz");
        var narInfo = await proxy.NarInfoAsync(output);

        await proxy.RestartAsync();
        Assert.Equal(output.File("xz"), await proxy.NarAsync(narInfo));

        proxy.Change = options =>
            options with { StateDirectory = Directory.CreateDirectory(Path.Combine(proxy.StateDirectory, "new")).FullName };
        await proxy.RestartAsync();
        Assert.Equal(output.File("xz"), await proxy.NarAsync(narInfo));
    }

    [Fact]
    public async Task A_narinfo_names_another_upstream_after_one_has_lied()
    {
        var output = TestOutput.Make(size: Small);
        await using var proxy = await AgreedAsync(output, "xz");
        (await proxy.AddUpstreamAsync("spare")).Add(output, "zstd");
        await proxy.RestartAsync();
        proxy.Upstream().Lie = UpstreamLie.FlippedByte;
        var first = await proxy.NarInfoAsync(output);
        Assert.Equal("xz", first.Compression);

        Assert.Null(await FetchAsync(proxy, first.Url));

        await Eventually.UntilAsync(async () => (await proxy.NarInfoAsync(output)).Compression is "zstd"); // made in the background
        var second = await proxy.NarInfoAsync(output);
        Assert.Equal(output.File("zstd"), await proxy.NarAsync(second));
    }

    private static async Task<TestProxy> AgreedAsync(TestOutput output, string compression, Func<string, string>? change = null)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(output, "alice", "bob");
        proxy.Upstream().Add(output, compression, change);
        return await proxy.StartAsync();
    }

    /// <summary>The whole body of a 200; null for anything less.</summary>
    private static async Task<byte[]?> FetchAsync(TestProxy proxy, string url)
    {
        try
        {
            using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, url));
            return response.StatusCode is HttpStatusCode.OK ? await response.Content.ReadAsByteArrayAsync() : null;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static string Drop(string text, params string[] names) =>
        string.Concat(text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !names.Any(name => line.StartsWith(name + ":", StringComparison.Ordinal))).Select(line => line + "\n"));
}
