using System.Diagnostics;
using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Delivery;

/// <summary>NARs whose upstream breaks off, falls silent, comes late or has none.</summary>
public sealed class ResumingTests
{
    private const int Large = 6_000_000, Life = 1_000_000;

    [Theory]
    [InlineData("none")]
    [InlineData("xz")]
    public async Task A_nar_over_connections_that_each_end_early_comes_whole_from_its_only_upstream(string compression)
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, compression);
        var narInfo = await proxy.NarInfoAsync(output);
        var sent = Cut(proxy, output.File(compression), (start, file) => $"bytes {start}-{file.Length - 1}/{file.Length}");

        Assert.Equal(output.File(compression), await proxy.NarAsync(narInfo));
        Assert.InRange(sent(), output.File(compression).Length, output.File(compression).Length * 1.05);
    }

    [Fact]
    public async Task A_small_nar_over_connections_that_each_end_early_comes_whole_although_the_other_upstream_has_none()
    {
        var output = TestOutput.Make(size: 3000);
        await using var proxy = await AgreedAsync(output, "none", more: "other");
        var narInfo = await proxy.NarInfoAsync(output);
        Cut(proxy, output.Nar, (start, file) => $"bytes {start}-{file.Length - 1}/{file.Length}", life: output.Nar.Length / 5);
        proxy.Upstream("other").Intercept = context =>
        {
            context.Response.StatusCode = 404;
            return Task.FromResult(true);
        };

        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
    }

    [Theory]
    [InlineData("bytes {0}-{1}/*", 206)]
    [InlineData("Bytes {0}-{1}/{2}", 206)]
    [InlineData("bytes={0}-{1}/{2}", 206)]
    [InlineData("bytes {0}-/{2}", 206)]
    [InlineData("bytes {0}-{1}/{2}", 200)]
    public async Task An_odd_but_right_answer_to_a_range_is_believed(string contentRange, int status)
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "none");
        var narInfo = await proxy.NarInfoAsync(output);
        var sent = Cut(proxy, output.Nar, (start, file) =>
            string.Format(CultureInfo.InvariantCulture, contentRange, start, file.Length - 1, file.Length), status);

        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
        Assert.InRange(sent(), output.Nar.Length, output.Nar.Length * 1.05);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_upstream_that_knows_no_ranges_or_has_changed_its_tag_is_skipped_forward(bool isSame)
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "none");
        var narInfo = await proxy.NarInfoAsync(output);
        var (tries, condition) = (0, "");
        proxy.Upstream().Intercept = async context =>
        {
            if (context.Request.Path != $"/{output.NarInfo().Url}")
            {
                return false;
            }

            tries++;
            condition += context.Request.Headers.IfRange;
            var file = (byte[])output.Nar.Clone();
            file[^1] ^= (byte)(tries > 1 && !isSame ? 1 : 0);
            context.Response.Headers.ETag = $"\"{tries}\"";
            context.Response.ContentLength = file.Length;
            await context.Response.Body.WriteAsync(file.AsMemory(0, tries is 1 ? Life : file.Length));
            if (tries is 1)
            {
                await AbortAsync(context);
            }

            return true;
        };

        var body = await FetchAsync(proxy, narInfo);

        Assert.Equal(isSame ? output.Nar : null, body);
        Assert.StartsWith("\"1\"", condition, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_upstream_that_fails_for_a_while_in_mid_nar_is_a_pause_to_the_client()
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "zstd");
        var narInfo = await proxy.NarInfoAsync(output);
        var tries = 0;
        proxy.Upstream().Intercept = async context =>
        {
            if (!context.Request.Path.StartsWithSegments("/nar"))
            {
                return false;
            }

            tries++;
            if (tries is 1)
            {
                context.Response.ContentLength = output.File("zstd").Length;
                await context.Response.Body.WriteAsync(output.File("zstd").AsMemory(0, Life));
                await AbortAsync(context);
            }
            else if (tries < 5)
            {
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            }

            return tries < 5;
        };

        Assert.Equal(output.File("zstd"), await proxy.NarAsync(narInfo));
        Assert.Equal(5, tries);
    }

    [Fact]
    public async Task A_nar_without_compression_goes_on_at_an_upstream_that_names_no_file_hash()
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "none", text => Drop(text, "FileHash", "FileSize"), "spare");
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Intercept = async context =>
        {
            if (!context.Request.Path.StartsWithSegments("/nar"))
            {
                return false;
            }

            if (context.Request.Headers.Range.Count > 0)
            {
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return true;
            }

            context.Response.ContentLength = output.Nar.Length;
            await context.Response.Body.WriteAsync(output.Nar.AsMemory(0, Life));
            await AbortAsync(context);
            return true;
        };

        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
        Assert.Contains(proxy.Upstream("spare").Requests, request => request.EndsWith('-'));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_first_byte_that_comes_after_the_deadline_of_the_narinfo_is_waited_for(int upstreams)
    {
        var output = TestOutput.Make(size: 4_000);
        await using var proxy = await AgreedAsync(output, "none", null, upstreams is 2 ? ["spare"] : []);
        var narInfo = await proxy.NarInfoAsync(output);
        foreach (var upstream in new[] { "main", "spare" }.Take(upstreams))
        {
            proxy.Upstream(upstream).Delay = TimeSpan.FromSeconds(3); // the deadline is 2 s
        }

        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
    }

    [Theory]
    [InlineData(404)]
    [InlineData(410)]
    [InlineData(403)]
    [InlineData(451)]
    public async Task A_nar_that_is_gone_costs_one_request_and_is_a_404_at_once(int status)
    {
        var output = TestOutput.Make();
        await using var proxy = await AgreedAsync(output, "none");
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream().Intercept = context =>
        {
            context.Response.StatusCode = status;
            return Task.FromResult(context.Request.Path.StartsWithSegments("/nar"));
        };
        var before = proxy.Upstream().Requests.Count;

        var watch = Stopwatch.StartNew();
        using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, narInfo.Url));

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        var asked = proxy.Upstream().Requests.Skip(before).ToList();
        Assert.Single(asked, request => request.Contains("/nar/", StringComparison.Ordinal));
        Assert.InRange(asked.Count, 1, 2); // the next narinfo is made in the background
        Assert.True(watch.Elapsed < proxy.Options!.Deadline, $"{watch.Elapsed}");
    }

    [Theory]
    [InlineData(-100)]
    [InlineData(100)]
    public async Task A_wrong_length_is_known_before_a_byte_leaves_and_the_next_upstream_is_used(int difference)
    {
        var output = TestOutput.Make(size: Large);
        await using var proxy = await AgreedAsync(output, "none", null, "spare");
        var narInfo = await proxy.NarInfoAsync(output);
        proxy.Upstream()
            .AddFile($"/{output.NarInfo().Url}", difference < 0 ? output.Nar[..^-difference] : [.. output.Nar, .. new byte[difference]]);

        Assert.Equal(output.Nar, await proxy.NarAsync(narInfo));
    }

    [Fact]
    public async Task Another_nar_under_the_name_of_a_small_one_never_leaves_and_the_second_upstream_is_used()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.AddUpstreamAsync("spare");
        var other = TestOutput.Make("other", 2_000_000);
        var outputs = Enumerable.Range(0, 12).Select(i => TestOutput.Make($"small-{i}", 9_000)).ToList();
        foreach (var output in outputs)
        {
            proxy.Publish(output, "alice", "bob");
            proxy.Upstream().Add(output, "zstd");
            proxy.Upstream("spare").Add(output, "zstd");
            proxy.Upstream().AddFile($"/{output.NarInfo("zstd").Url}", other.File("zstd"));
        }

        await proxy.StartAsync();
        foreach (var output in outputs)
        {
            Assert.Equal(output.File("zstd"), await proxy.NarAsync(await proxy.NarInfoAsync(output)));
        }
    }

    [Theory]
    [InlineData("xz", "fd377a585a000004e6d6b446000000001cdf44211fb6f37d010000000004595a")]
    [InlineData("zstd", "28b52ffd2000010000")]
    public async Task An_endless_row_of_empty_streams_as_content_encoding_is_given_up(string encoding, string empty)
    {
        var output = TestOutput.Make(size: 500_000);
        await using var proxy = await AgreedAsync(output, "none");
        var narInfo = await proxy.NarInfoAsync(output);
        var block = Enumerable.Repeat(Convert.FromHexString(empty), 5_000).SelectMany(bytes => bytes).ToArray();
        proxy.Upstream().Intercept = async context =>
        {
            if (!context.Request.Path.StartsWithSegments("/nar"))
            {
                return false;
            }

            context.Response.Headers.ContentEncoding = encoding;
            while (!context.RequestAborted.IsCancellationRequested)
            {
                await context.Response.Body.WriteAsync(block, context.RequestAborted);
            }

            return true;
        };

        using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, narInfo.Url));
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    /// <summary>Has the upstream end each connection after <see cref="Life"/> bytes; gives what tells how much it sent.</summary>
    private static Func<long> Cut(TestProxy proxy, byte[] file, Func<int, byte[], string> contentRange, int status = 206, int life = Life)
    {
        var sent = 0L;
        proxy.Upstream().Intercept = async context =>
        {
            if (!context.Request.Path.StartsWithSegments("/nar"))
            {
                return false;
            }

            var range = context.Request.Headers.Range.ToString();
            var start = range is "" ? 0 : int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture);
            if (start > 0)
            {
                context.Response.StatusCode = status;
                context.Response.Headers.ContentRange = contentRange(start, file);
            }

            var count = Math.Min(life, file.Length - start);
            Interlocked.Add(ref sent, count);
            context.Response.ContentLength = file.Length - start;
            await context.Response.Body.WriteAsync(file.AsMemory(start, count));
            if (start + count < file.Length)
            {
                await AbortAsync(context);
            }

            return true;
        };
        return () => Interlocked.Read(ref sent);
    }

    /// <summary>Ends the connection once its bytes have left.</summary>
    private static async Task AbortAsync(HttpContext context)
    {
        await context.Response.Body.FlushAsync();
        await Task.Delay(100);
        context.Abort();
    }

    private static async Task<byte[]?> FetchAsync(TestProxy proxy, NarInfo narInfo)
    {
        try
        {
            return await proxy.NarAsync(narInfo);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return null;
        }
    }

    private static async Task<TestProxy> AgreedAsync(
        TestOutput output, string compression, Func<string, string>? change = null, params string[] more)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        foreach (var name in more)
        {
            await proxy.AddUpstreamAsync(name);
        }

        proxy.Publish(output, "alice", "bob");
        foreach (var name in (string[])["main", .. more])
        {
            proxy.Upstream(name).Add(output, compression, change);
        }

        return await proxy.StartAsync();
    }

    private static string Drop(string text, params string[] names) => string.Concat(
        text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !names.Any(name => line.StartsWith(name + ":", StringComparison.Ordinal))).Select(line => line + "\n"));
}
