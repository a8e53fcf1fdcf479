using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nars;
using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Upstreams;

/// <summary>Does not decompress files again that are known to hold a NAR. An attacker who replaces such a file gains nothing.</summary>
public sealed class KnownFileTests
{
    private const int Small = 5_000, Large = 3_000_000;

    [Theory]
    [InlineData(Small)]
    [InlineData(Large)]
    public async Task A_known_file_is_served_by_its_hash_alone_and_only_under_our_mac(int size)
    {
        var output = TestOutput.Make(size: size);
        var garbage = RandomNumberGenerator.GetBytes(size); // no decoder lets that pass
        await using var proxy = await AgreedAsync(output, "xz", text => Claim(text, garbage));
        proxy.Upstream().AddFile($"/{output.NarInfo("xz").Url}", garbage);
        var narInfo = await proxy.NarInfoAsync(output);
        Assert.Null(await FetchAsync(proxy, narInfo.Url));

        foreach (var (key, damage, isServed) in new[]
        {
            (NixSecretKey.Generate("other"), "", false),
            (proxy.Key, "UPDATE nar_file SET record = zeroblob(32) || substr(record, 33)", false),
            (proxy.Key, "UPDATE nar_file SET record = substr(record, 1, 33) || x'0100000000000000'", false),
            (proxy.Key, "UPDATE nar_file SET record = x''", false),
            (proxy.Key, $"UPDATE nar_file SET name = replace(name, ' xz ', ' zstd ')", false),
            (proxy.Key, "", true),
        })
        {
            await proxy.StopAsync();
            Execute(proxy, "DELETE FROM nar_file");
            using (var state = new StateWriter(proxy.StateDirectory))
            using (var known = new KnownFiles(state, new RecordSeal(key, []), null, TimeProvider.System))
            {
                known.Add(output.Statement.NarHash, "xz", new KnownFile(narInfo.FileHash!, size));
            }

            Execute(proxy, damage);
            await proxy.StartAsync();

            Assert.Equal(isServed ? garbage : null, await FetchAsync(proxy, narInfo.Url));
        }
    }

    [Theory]
    [InlineData("zstd", Small)]
    [InlineData("xz", Large)]
    public async Task The_first_pass_makes_a_file_known_on_disk_and_later_ones_give_the_same(string compression, int size)
    {
        var output = TestOutput.Make(size: size);
        await using var proxy = await AgreedAsync(output, compression);
        var narInfo = await proxy.NarInfoAsync(output);
        Assert.Equal(output.File(compression), await proxy.NarAsync(narInfo));
        await proxy.RestartAsync();

        using var state = new StateWriter(proxy.StateDirectory);
        using var known = new KnownFiles(state, new RecordSeal(proxy.Key, []), null, TimeProvider.System);
        Assert.Equal(output.File(compression).Length, (await known.FindAsync(narInfo.NarHash, compression, narInfo.FileHash!))?.Size);
        Assert.Null(await known.FindAsync(narInfo.NarHash, compression, narInfo.NarHash));
        using var range = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.Url, narInfo.Url)) { Headers = { Range = new(100, 299) } };
        using var part = await proxy.Client.SendAsync(range);

        Assert.Equal(output.File(compression), await proxy.NarAsync(narInfo));
        Assert.Equal(output.File(compression)[100..300], await part.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData(UpstreamLie.FlippedByte)]
    [InlineData(UpstreamLie.FlippedLastByte)]
    [InlineData(UpstreamLie.ShortFile)]
    [InlineData(UpstreamLie.LongFile)]
    [InlineData(UpstreamLie.OtherFile)]
    public async Task A_known_file_that_has_changed_is_never_completed(UpstreamLie lie)
    {
        foreach (var size in new[] { Small, Large })
        {
            var output = TestOutput.Make(size: size);
            await using var proxy = await AgreedAsync(output, "xz");
            proxy.Upstream().Add(TestOutput.Make("other", size), "xz");
            var narInfo = await proxy.NarInfoAsync(output);
            Assert.Equal(output.File("xz"), await proxy.NarAsync(narInfo)); // known now
            proxy.Upstream().Lie = lie;

            // Zeros behind xz are padding, as Nix takes it: then the file is the right NAR in other bytes.
            for (var tries = 0; tries < 2; tries++)
            {
                var body = await FetchAsync(proxy, narInfo.Url);
                Assert.True(
                    body is null || (lie is UpstreamLie.LongFile && body.AsSpan().StartsWith(output.File("xz"))), $"{body?.Length}");
            }

            proxy.Upstream().Lie = UpstreamLie.None;
            Assert.Equal(output.File("xz"), await proxy.NarAsync(narInfo));
        }
    }

    [Theory]
    [InlineData(Small)]
    [InlineData(Large)]
    public async Task A_known_file_that_was_compressed_anew_is_verified_as_a_nar_again(int size)
    {
        var output = TestOutput.Make(size: size);
        await using var proxy = await AgreedAsync(output, "zstd");
        var narInfo = await proxy.NarInfoAsync(output);
        await proxy.NarAsync(narInfo);
        byte[] skippable = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4], again = [.. skippable, .. output.File("zstd")];
        proxy.Upstream().AddFile($"/{output.NarInfo("zstd").Url}", again);

        using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, narInfo.Url)); // its length tells

        Assert.Equal(again, await response.Content.ReadAsByteArrayAsync());
        Assert.Empty(response.Headers.AcceptRanges);
    }

    [Fact]
    public async Task Nars_beyond_those_that_are_decompressed_at_once_wait_in_turn_and_known_files_do_not()
    {
        var (held, waiting, known) = (TestOutput.Make(size: Large), TestOutput.Make("waiting"), TestOutput.Make("known"));
        await using var proxy = await AgreedAsync(held, "xz");
        proxy.Change = options => options with { Decompressions = 1, Deadline = TimeSpan.FromSeconds(4) };
        foreach (var output in new[] { waiting, known })
        {
            proxy.Publish(output, "alice", "bob").Upstream().Add(output, "xz");
        }

        await proxy.RestartAsync();
        var knownInfo = await proxy.NarInfoAsync(known);
        await proxy.NarAsync(knownInfo);
        var (begun, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        proxy.Upstream().Intercept = async context =>
        {
            if (context.Request.Path == $"/{held.NarInfo("xz").Url}")
            {
                begun.TrySetResult();
                context.Response.ContentLength = held.File("xz").Length;
                await context.Response.Body.WriteAsync(held.File("xz").AsMemory(0, 1_000_000));
                await context.Response.Body.FlushAsync();
                await go.Task;
                await context.Response.Body.WriteAsync(held.File("xz").AsMemory(1_000_000));
                return true;
            }

            return false;
        };

        var first = proxy.NarAsync(await proxy.NarInfoAsync(held));
        await begun.Task;
        var second = proxy.NarAsync(await proxy.NarInfoAsync(waiting));
        Assert.Equal(known.File("xz"), await proxy.NarAsync(knownInfo));
        await Task.Delay(1200);
        Assert.False(second.IsCompleted);
        Assert.DoesNotContain(proxy.Upstream().Requests, request => request.Contains(waiting.NarInfo("xz").Url, StringComparison.Ordinal));

        Assert.Equal(waiting.File("xz"), await second); // the one before is still held, and does not keep it for ever
        go.SetResult();
        Assert.Equal(held.File("xz"), await first);
    }

    private static string Claim(string narInfo, byte[] file) => string.Join('\n', narInfo.Split('\n').Select(line =>
        line.StartsWith("FileHash: ", StringComparison.Ordinal) ? $"FileHash: {NixHash.Sha256(SHA256.HashData(file))}"
        : line.StartsWith("FileSize: ", StringComparison.Ordinal) ? $"FileSize: {file.Length}" : line));

    private static void Execute(TestProxy proxy, string sql)
    {
        using var state = new SqliteConnection($"Data Source={Path.Combine(proxy.StateDirectory, "state.sqlite")};Pooling=False");
        state.Open();
        using var command = state.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static async Task<byte[]?> FetchAsync(TestProxy proxy, string url)
    {
        try
        {
            return await proxy.Client.GetByteArrayAsync(new Uri(proxy.Url, url));
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return null;
        }
    }

    private static async Task<TestProxy> AgreedAsync(TestOutput output, string compression, Func<string, string>? change = null)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(output, "alice", "bob").Upstream().Add(output, compression, change);
        return await proxy.StartAsync();
    }
}
