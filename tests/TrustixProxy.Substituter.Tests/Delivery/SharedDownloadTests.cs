using System.Net;
using System.Net.Http.Headers;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Delivery;

/// <summary>One download for all clients and ranges of a file.</summary>
public sealed class SharedDownloadTests
{
    private const int Large = 12_000_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("none")]
    [InlineData("zstd")]
    public async Task Sixteen_ranges_at_once_cost_one_download(string compression)
    {
        var output = TestOutput.Make(size: Large);
        var file = output.File(compression);
        await using var proxy = await AgreedAsync(output, compression);
        var url = (await proxy.NarInfoAsync(output)).Url;
        var part = (file.Length + 15) / 16;

        var parts = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(i => RangeAsync(proxy, url, i * part, Math.Min((i + 1) * part, file.Length) - 1)));

        Assert.Equal(file, parts.SelectMany(bytes => bytes).ToArray());
        Assert.Equal(1, Downloads(proxy));
    }

    [Fact]
    public async Task Forty_ranges_of_one_byte_one_after_the_other_cost_one_download_while_it_stays()
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "none");
        var url = (await proxy.NarInfoAsync(output)).Url;

        for (var i = 0; i < 40; i++)
        {
            Assert.Equal([output.Nar[i * 290_000]], await RangeAsync(proxy, url, i * 290_000, i * 290_000));
        }

        Assert.Equal(1, Downloads(proxy));
    }

    [Fact]
    public async Task A_hundred_clients_at_once_cost_one_download_and_each_gets_all_of_it()
    {
        var output = TestOutput.Make(size: 3_000_000);
        await using var proxy = await AgreedAsync(output, "xz");
        var narInfo = await proxy.NarInfoAsync(output);

        var bodies = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => proxy.NarAsync(narInfo)));

        Assert.All(bodies, body => Assert.True(body.AsSpan().SequenceEqual(output.File("xz"))));
        Assert.Equal(1, Downloads(proxy));
    }

    [Fact]
    public async Task A_client_that_comes_in_the_middle_joins_the_download_and_one_that_reads_slowly_slows_no_other()
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "none");
        var narInfo = await proxy.NarInfoAsync(output);
        var url = new Uri(proxy.Url, narInfo.Url);
        using var slow = await proxy.Client.GetAsync(url, HttpCompletionOption.ResponseHeadersRead);
        await using var slowly = await slow.Content.ReadAsStreamAsync();
        var beginning = new byte[1000];
        await slowly.ReadExactlyAsync(beginning);

        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo).WaitAsync(Patience));

        using var rest = new MemoryStream();
        await slowly.CopyToAsync(rest);
        Assert.Equal(output.Nar, (byte[])[.. beginning, .. rest.ToArray()]);
        Assert.Equal(1, Downloads(proxy));
    }

    [Fact]
    public async Task A_download_that_nobody_reads_any_more_ends_and_one_that_somebody_reads_goes_on()
    {
        var (left, read) = (TestOutput.Make("left", Large), TestOutput.Make("read", Large));
        await using var proxy = await AgreedAsync(left, "none");
        await proxy.Publish(read, "alice", "bob").RestartAsync();
        var go = new TaskCompletionSource();
        var ended = new TaskCompletionSource();
        proxy.Upstream().Intercept = async context =>
        {
            var isLeft = context.Request.Path == $"/{left.NarInfo().Url}";
            if (isLeft || context.Request.Path == $"/{read.NarInfo().Url}")
            {
                var nar = isLeft ? left.Nar : read.Nar;
                context.Response.ContentLength = nar.Length;
                await context.Response.Body.WriteAsync(nar.AsMemory(0, 1_000_000));
                await context.Response.Body.FlushAsync();
                if (isLeft)
                {
                    context.RequestAborted.Register(ended.SetResult);
                    await ended.Task;
                    return true;
                }

                await go.Task;
                await context.Response.Body.WriteAsync(nar.AsMemory(1_000_000));
                return true;
            }

            return false;
        };
        var (leftUrl, readUrl) = (
            new Uri(proxy.Url, (await proxy.NarInfoAsync(left)).Url), new Uri(proxy.Url, (await proxy.NarInfoAsync(read)).Url));
        using (await proxy.Client.GetAsync(leftUrl, HttpCompletionOption.ResponseHeadersRead))
        using (await proxy.Client.GetAsync(readUrl, HttpCompletionOption.ResponseHeadersRead))
        {
            using var stays = await proxy.Client.GetAsync(readUrl, HttpCompletionOption.ResponseHeadersRead);
            var staying = stays.Content.ReadAsByteArrayAsync();
            await Task.Delay(10);
            _ = staying;
            go.SetResult();
            Assert.Equal(read.Nar, await staying.WaitAsync(Patience));
        }

        await ended.Task.WaitAsync(Patience);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1 << 20)]
    public async Task Where_the_spool_is_full_every_client_still_gets_its_nar_and_each_range_its_bytes(int spool)
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "none", spool);
        var narInfo = await proxy.NarInfoAsync(output);

        var bodies = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => proxy.NarAsync(narInfo)));
        var range = await RangeAsync(proxy, narInfo.Url, 1_000_000, 1_999_999);

        Assert.All(bodies, body => Assert.True(body.AsSpan().SequenceEqual(output.Nar)));
        Assert.Equal(output.Nar[1_000_000..2_000_000], range);
    }

    [Fact]
    public async Task No_file_and_no_connection_is_left_after_deliveries()
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "none");
        var narInfo = await proxy.NarInfoAsync(output);
        await proxy.NarAsync(narInfo);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => proxy.NarAsync(narInfo)));

        await proxy.StopAsync();

        Assert.DoesNotContain(OpenFiles(), file => file.StartsWith(proxy.StateDirectory, StringComparison.Ordinal)
            && file.Contains("spool", StringComparison.Ordinal));
        Assert.DoesNotContain(Directory.GetFiles(proxy.StateDirectory), file => file.Contains("spool", StringComparison.Ordinal));
    }

    private static IEnumerable<string> OpenFiles() =>
        new DirectoryInfo("/proc/self/fd").EnumerateFileSystemInfos().Select(entry => entry.LinkTarget ?? "");

    private static int Downloads(TestProxy proxy) =>
        proxy.Upstream().Requests.Count(request => request.Contains("/nar/", StringComparison.Ordinal));

    private static async Task<byte[]> RangeAsync(TestProxy proxy, string url, long from, long to)
    {
        using var request = new HttpRequestMessage(
            HttpMethod.Get, new Uri(proxy.Url, url))
        { Headers = { Range = new RangeHeaderValue(from, to) } };
        using var response = await proxy.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        return await response.Content.ReadAsByteArrayAsync();
    }

    private static async Task<TestProxy> AgreedAsync(TestOutput output, string compression, long spool = 1L << 30)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { NarStay = TimeSpan.FromMinutes(1), NarSpool = spool };
        proxy.Publish(output, "alice", "bob").Upstream().Add(output, compression);
        return await proxy.StartAsync();
    }
}
