using System.Diagnostics;
using System.Net;
using TrustixProxy.IO.Buckets;
using TrustixProxy.Nars.Store;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Storage;

/// <summary>A bucket in which replicas share verified NARs, and that does what it likes.</summary>
public sealed class SharedNarsTests
{
    private const string Prefix = "shared/cache";

    [Theory]
    [InlineData("none")]
    [InlineData("xz")]
    public async Task One_replica_uploads_and_others_serve_where_no_upstream_has_it(string compression)
    {
        var output = TestOutput.Make(size: 200_000);
        await using var bucket = await FakeBucket.StartAsync();
        await using var first = await StartAsync(bucket, output, compression);
        await using var second = await StartAsync(bucket, output, compression, isUpstreamEmpty: true);
        await using var third = await StartAsync(bucket, output, compression, isUpstreamEmpty: true);

        Assert.Equal(output.File(compression), await first.NarAsync(await first.NarInfoAsync(output)));
        await UploadedAsync(bucket, output, compression);

        foreach (var replica in new[] { second, third })
        {
            Assert.Equal(output.File(compression), await replica.NarAsync(await replica.NarInfoAsync(output)));
            Assert.DoesNotContain(replica.Upstream().Requests, request => request.Contains("/nar/", StringComparison.Ordinal));
        }

        Assert.All(bucket.Uploads.Values, count => Assert.Equal(1, count));
        Assert.Equal(2, bucket.Uploads.Count);
    }

    [Theory]
    [InlineData(BucketLie.None, 1)]
    [InlineData(BucketLie.IgnoresConditions, 5)]
    [InlineData(BucketLie.KnowsNoConditions, 5)]
    public async Task Of_fifty_requests_to_five_replicas_at_once_each_uploads_at_most_once_and_one_does_where_conditions_hold(
        BucketLie lie, int most)
    {
        var output = TestOutput.Make(size: 100_000);
        await using var bucket = await FakeBucket.StartAsync();
        bucket.Lie = lie;
        var replicas = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => StartAsync(bucket, output, "none")));
        try
        {
            var nars = await Task.WhenAll(Enumerable.Range(0, 50).Select(async i =>
                await replicas[i % 5].NarAsync(await replicas[i % 5].NarInfoAsync(output))));
            await UploadedAsync(bucket, output, "none");

            Assert.All(nars, nar => Assert.Equal(output.Nar, nar));
        }
        finally
        {
            foreach (var replica in replicas)
            {
                await replica.DisposeAsync(); // waits for no upload
            }
        }

        Assert.All(bucket.Uploads.Values, count => Assert.InRange(count, 1, most));
    }

    [Theory]
    [InlineData(BucketLie.Busy)]
    [InlineData(BucketLie.Hang)]
    [InlineData(BucketLie.Altered)]
    [InlineData(BucketLie.Swapped)]
    [InlineData(BucketLie.Cut)]
    public async Task A_bucket_that_lies_or_fails_changes_no_byte_and_is_no_failure(BucketLie lie)
    {
        TestOutput[] outputs = [.. Enumerable.Range(0, 6).Select(i => TestOutput.Make($"out-{i}", 20_000))];
        await using var bucket = await FakeBucket.StartAsync();
        foreach (var output in outputs)
        {
            Share(bucket, output);
        }

        bucket.Lie = lie;
        await using var replica = await StartAsync(bucket, outputs);
        foreach (var output in outputs)
        {
            Assert.Equal(output.Nar, await replica.NarAsync(await replica.NarInfoAsync(output)));
        }

        Assert.Equal(HttpStatusCode.NotFound, (await replica.AskAsync(TestOutput.PathOf("missing"))).Status);
    }

    [Fact]
    public async Task A_bucket_that_is_gone_is_left_alone_and_nobody_waits_for_it()
    {
        var output = TestOutput.Make();
        await using var bucket = await FakeBucket.StartAsync();
        await using var replica = await StartAsync(bucket, output, "none");
        await bucket.StopAsync();

        Assert.Equal(output.Nar, await replica.NarAsync(await replica.NarInfoAsync(output)));
        await Eventually.UntilAsync(async () =>
        {
            Assert.Equal(HttpStatusCode.NotFound, (await replica.AskAsync(TestOutput.PathOf("missing"))).Status);
            var shown = (await ReadyAsync(replica)).Split($"\"name\":\"{SharedNarsOptions.Name}\"");
            return shown.Length is 2 && shown[1].Contains("\"state\":\"away\"", StringComparison.Ordinal);
        });
        var start = Stopwatch.GetTimestamp();
        Assert.Equal(HttpStatusCode.NotFound, (await replica.AskAsync(TestOutput.PathOf("missing"))).Status);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 1);
    }

    [Fact]
    public async Task Where_upstreams_and_logs_are_dead_what_the_bucket_has_comes_without_a_wait()
    {
        TestOutput[] outputs = [.. Enumerable.Range(0, 5).Select(i => TestOutput.Make($"out-{i}", 20_000))];
        await using var bucket = await FakeBucket.StartAsync();
        foreach (var output in outputs)
        {
            Share(bucket, output);
        }

        await using var replica = await StartAsync(bucket, outputs);
        var narInfos = await Task.WhenAll(outputs.Select(replica.NarInfoAsync));
        await Task.WhenAll(
            [replica.Upstream().StopAsync(), .. new[] { "alice", "bob", "carol" }.Select(log => replica.Log(log).StopAsync())]);
        var change = replica.Change;
        replica.Change = options => change(options) with { Deadline = TimeSpan.FromSeconds(20) };
        await replica.RestartAsync();
        Assert.Equal(outputs[0].Nar, await replica.NarAsync(narInfos[0])); // now the upstream is known to be away
        await Eventually.UntilAsync(async () => (await ReadyAsync(replica)).Contains("\"state\":\"away\"", StringComparison.Ordinal));
        var start = Stopwatch.GetTimestamp();
        foreach (var (output, narInfo) in outputs.Zip(narInfos).Skip(1))
        {
            Assert.Equal(output.Nar, await replica.NarAsync(narInfo));
        }

        Assert.Equal(HttpStatusCode.OK, (await replica.AskAsync(outputs[1].Path)).Status);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 15); // one poll of dead logs takes the deadline
    }

    [Theory]
    [InlineData(BucketLie.Full)]
    [InlineData(BucketLie.Busy)]
    public async Task What_the_bucket_does_not_take_is_told_once_serving_goes_on_and_it_comes_once_it_can(BucketLie lie)
    {
        await using var bucket = await FakeBucket.StartAsync();
        bucket.Lie = lie;
        TestOutput[] outputs = [.. Enumerable.Range(0, 10).Select(i => TestOutput.Make($"out-{i}"))];
        await using var replica = await StartAsync(bucket, outputs);
        foreach (var output in outputs)
        {
            Assert.Equal(output.Nar, await replica.NarAsync(await replica.NarInfoAsync(output)));
        }

        await Eventually.UntilAsync(() => replica.Lines.Any(line => line.Contains(" 5107 ", StringComparison.Ordinal)));

        Assert.Single(replica.Lines, line => line.Contains(" 5107 ", StringComparison.Ordinal));
        Assert.Empty(bucket.Objects);
        Assert.All(replica.Lines, line => Assert.DoesNotContain("s3cret", line, StringComparison.Ordinal));
        bucket.Lie = BucketLie.None;
        foreach (var output in outputs)
        {
            await UploadedAsync(bucket, output, "none");
        }
    }

    [Fact]
    public async Task A_shared_nar_that_was_refused_is_written_anew()
    {
        var output = TestOutput.Make(size: 20_000);
        await using var bucket = await FakeBucket.StartAsync();
        await using var replica = await StartAsync(bucket, output, "none");
        Share(bucket, output);
        var name = $"{Prefix}/nar/{output.Statement.NarHash.Digits}.nar";
        bucket.Put(name, [.. output.Nar.Select(value => (byte)(value ^ 1))]);

        Assert.Equal(output.Nar, await replica.NarAsync(await replica.NarInfoAsync(output)));
        await Eventually.UntilAsync(() => bucket.Objects[name].SequenceEqual(output.Nar));

        Assert.Contains(replica.Lines, line => line.Contains(SharedNarsOptions.Name, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Two_collections_at_once_delete_what_is_old_and_then_the_oldest_and_nothing_else()
    {
        await using var bucket = await FakeBucket.StartAsync();
        var (now, outputs) = (DateTimeOffset.UtcNow, Enumerable.Range(0, 9).Select(_ => TestOutput.Make(size: 1000)).ToList());
        foreach (var (i, output) in outputs.Index())
        {
            bucket.Put($"{Prefix}/nar/{output.Statement.NarHash.Digits}.nar", new byte[1000], now - TimeSpan.FromDays(10 - i));
        }

        bucket.Put($"{Prefix}/{outputs[0].Path.Digest}.narinfo", new byte[10], now - TimeSpan.FromDays(11));
        foreach (var foreign in new[] { $"{Prefix}/nar/other.nar", $"{Prefix}/README", "elsewhere/nar/x.nar", $"{Prefix}/x.narinfo" })
        {
            bucket.Put(foreign, new byte[5000], now - TimeSpan.FromDays(100));
        }

        using var http = new HttpMessageInvoker(new SocketsHttpHandler());
        var options = OptionsOf(bucket) with { MaxAge = TimeSpan.FromDays(7.5), MaxSize = 4500 };
        var results = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ =>
            new SharedNarsMaintenance(options, http, TimeProvider.System).CollectAsync(default)));

        Assert.All(results, result => Assert.Equal((4000, 4500), (result.Bytes, result.MaxSize)));
        Assert.Equal(4 + 4, bucket.Objects.Count);
        Assert.All(outputs[5..], output =>
            Assert.Contains($"{Prefix}/nar/{output.Statement.NarHash.Digits}.nar", bucket.Objects.Keys));
    }

    [Fact]
    public async Task A_bucket_that_cannot_be_listed_is_an_error_that_names_the_status()
    {
        await using var bucket = await FakeBucket.StartAsync();
        bucket.Lie = BucketLie.Busy;
        using var http = new HttpMessageInvoker(new SocketsHttpHandler());

        var exception = await Assert.ThrowsAsync<HttpRequestException>(() =>
            new SharedNarsMaintenance(OptionsOf(bucket), http, TimeProvider.System).CollectAsync(default));

        Assert.Contains("HTTP 503", exception.Message, StringComparison.Ordinal);
    }

    private static SharedNarsOptions OptionsOf(FakeBucket bucket) => new(bucket.BucketUrl, Prefix,
        BucketSigner.Of(new AwsCredentials("AKIDTEST", "s3cret/of+the=bucket"), FakeBucket.Region), 1L << 30, TimeSpan.FromDays(30));

    /// <summary>Has the bucket hold an output as a replica shares it.</summary>
    private static void Share(FakeBucket bucket, TestOutput output)
    {
        var narInfo = output.NarInfo() with { Url = $"nar/{output.Statement.NarHash.Digits}.nar" };
        bucket.Put($"{Prefix}/{output.Path.Digest}.narinfo", System.Text.Encoding.ASCII.GetBytes(narInfo.ToString()));
        bucket.Put($"{Prefix}/{narInfo.Url}", output.Nar);
    }

    private static Task UploadedAsync(FakeBucket bucket, TestOutput output, string compression) => Eventually.UntilAsync(() =>
        bucket.Objects.ContainsKey($"{Prefix}/{output.Path.Digest}.narinfo")
        && bucket.Objects.Any(entry => entry.Key.StartsWith($"{Prefix}/nar/", StringComparison.Ordinal)
            && entry.Value.SequenceEqual(output.File(compression))));

    private static async Task<string> ReadyAsync(TestProxy proxy)
    {
        using var response = await proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, "/readyz"));
        return await response.Content.ReadAsStringAsync();
    }

    private static Task<TestProxy> StartAsync(FakeBucket bucket, TestOutput output, string compression, bool isUpstreamEmpty = false) =>
        StartAsync(bucket, [output], compression, isUpstreamEmpty);

    private static async Task<TestProxy> StartAsync(
        FakeBucket bucket, TestOutput[] outputs, string compression = "none", bool isUpstreamEmpty = false)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        var nars = Directory.CreateDirectory(Path.Combine(proxy.StateDirectory, "nars")).FullName;
        foreach (var output in outputs)
        {
            proxy.Publish(output, "alice", "bob").Upstream().Add(output, compression);
        }

        proxy.Upstream().Lie = isUpstreamEmpty ? UpstreamLie.Absent : UpstreamLie.None;
        proxy.Change = options => options with
        {
            NarStore = new NarStoreOptions(nars, 1L << 30, []) { Shared = OptionsOf(bucket) },
        };
        return await proxy.StartAsync();
    }
}
