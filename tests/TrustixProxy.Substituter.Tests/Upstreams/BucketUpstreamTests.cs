using System.Collections.Concurrent;
using System.Net;
using TrustixProxy.IO.Buckets;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Upstreams;

/// <summary>Caches in an S3-compatible bucket, which verifies each signature.</summary>
public sealed class BucketUpstreamTests
{
    private const string Secret = "s3cret/of+the=bucket";

    private static readonly string[] Signed = ["Authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];

    [Theory]
    [InlineData("none", null)]
    [InlineData("xz", null)]
    [InlineData("zstd", "t0ken/+=")]
    public async Task A_private_bucket_serves_nars_and_no_part_of_the_key_is_shown(string compression, string? token)
    {
        var output = TestOutput.Make(size: 300_000);
        await using var bucket = await FakeBucket.StartAsync();
        bucket.Key = bucket.Key!.Value with { Token = token };
        bucket.Add(output, compression);
        await using var proxy = await StartAsync(bucket, Credentials(Secret, token), output);

        Assert.Equal(output.File(compression), await proxy.NarAsync(await proxy.NarInfoAsync(output)));
        var ready = await ReadyAsync(proxy);
        var page = await proxy.Client.GetStringAsync(proxy.OperationsUrl);
        Assert.All([ready, page, .. proxy.Lines, $"{proxy.Options!.Upstreams[0]}"], AssertNothingIsShown);
    }

    [Fact]
    public async Task A_public_bucket_is_asked_without_a_signature()
    {
        var output = TestOutput.Make();
        await using var bucket = await FakeBucket.StartAsync();
        bucket.Key = null;
        bucket.Add(output);
        await using var proxy = await StartAsync(bucket, null, output);

        Assert.Equal(output.Nar, await proxy.NarAsync(await proxy.NarInfoAsync(output)));
    }

    [Fact]
    public async Task A_refused_key_is_named_with_what_to_check_and_nothing_of_it_is_shown()
    {
        var output = TestOutput.Make();
        await using var bucket = await FakeBucket.StartAsync();
        bucket.Add(output);
        await using var proxy = await StartAsync(bucket, Credentials("0ther/s3cret"), output);

        var answer = await proxy.AskAsync(output.Path);
        await Eventually.UntilAsync(async () => (await ReadyAsync(proxy)).Contains("credentials-refused", StringComparison.Ordinal));

        Assert.Equal(HttpStatusCode.NotFound, answer.Status);
        var text = await ReadyAsync(proxy);
        Assert.Contains("check the key in credentialsFile or the environment", text, StringComparison.Ordinal);
        Assert.All([text, answer.Text, .. proxy.Lines], AssertNothingIsShown);
    }

    [Fact]
    public async Task Over_a_redirect_goes_no_signature_and_a_signed_address_is_not_passed_on()
    {
        var output = TestOutput.Make();
        await using var bucket = await FakeBucket.StartAsync();
        await using var elsewhere = await FakeUpstream.StartAsync();
        var told = new ConcurrentQueue<string>();
        elsewhere.AddFile("/moved", output.Nar);
        elsewhere.Intercept = context =>
        {
            told.Enqueue($"{context.Request.QueryString} {string.Join(',', Signed.Where(context.Request.Headers.ContainsKey))}");
            return Task.FromResult(false);
        };
        bucket.Add(output);
        bucket.Moved = name => name.StartsWith("nar/", StringComparison.Ordinal)
            ? new Uri(elsewhere.Url, "/moved?X-Amz-Signature=abcdef") : null;
        await using var proxy = await StartAsync(bucket, Credentials(Secret, "t0ken"), output);
        bucket.Key = bucket.Key!.Value with { Token = "t0ken" };
        var narInfo = await proxy.NarInfoAsync(output);
        using var response = await proxy.Client.GetAsync(new Uri(proxy.Url, narInfo.Url));

        Assert.Equal(output.Nar, await response.Content.ReadAsByteArrayAsync());
        Assert.Equal("?X-Amz-Signature=abcdef ", told.Distinct().Single());
        Assert.All([$"{response}", .. proxy.Lines], AssertNothingIsShown);
    }

    [Theory]
    [InlineData("ftp://elsewhere.example/nar?X-Amz-Signature=abcdef")]
    [InlineData("http://169.254.169.254/latest/meta-data/?X-Amz-Signature=abcdef")]
    [InlineData("http://[fd00:ec2::254]/latest/meta-data/?X-Amz-Signature=abcdef")]
    public async Task A_redirect_that_is_refused_is_told_without_its_query(string address)
    {
        await using var bucket = await FakeBucket.StartAsync();
        bucket.Moved = _ => new Uri(address);
        using var http = new HttpMessageInvoker(new UpstreamTransport(bucket.BucketUrl, Credentials(Secret), TimeProvider.System, null));
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"{bucket.BucketUrl}/nar/x?X-Amz-Credential=abcdef"));

        var exception = await Assert.ThrowsAnyAsync<HttpRequestException>(() => http.SendAsync(request, default));

        AssertNothingIsShown($"{exception}");
    }

    [Fact]
    public async Task An_address_beside_the_bucket_is_not_signed_for()
    {
        await using var bucket = await FakeBucket.StartAsync();
        var network = new Seen();
        using var http = new HttpMessageInvoker(
            new UpstreamTransport(new Uri($"{bucket.BucketUrl}/"), Credentials(Secret), TimeProvider.System, network));
        foreach (var path in new[] { "x", "../other/x", "/narsother/x", "x?X-Amz-Signature=abcdef", "http://elsewhere.example/nars/x" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(new Uri($"{bucket.BucketUrl}/"), path));
            using var response = await http.SendAsync(request, default);
        }

        Assert.Equal([true, false, false, false, false], network.Signed);
    }

    /// <summary>What <c>/readyz</c> says, whatever its status.</summary>
    private static async Task<string> ReadyAsync(TestProxy proxy)
    {
        using var response = await proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, "/readyz"));
        return await response.Content.ReadAsStringAsync();
    }

    private static UpstreamCredentials Credentials(string secret, string? token = null) =>
        UpstreamCredentials.Signing(BucketSigner.Of(new AwsCredentials("AKIDTEST", secret, token), FakeBucket.Region));

    private static async Task<TestProxy> StartAsync(FakeBucket bucket, UpstreamCredentials? credentials, TestOutput output)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(output, "alice", "bob").Upstream().Lie = UpstreamLie.Absent;
        proxy.Change = options => options with { Upstreams = [new UpstreamOptions("bucket", bucket.BucketUrl, 1, credentials)] };
        return await proxy.StartAsync();
    }

    private static void AssertNothingIsShown(string text)
    {
        foreach (var secret in new[] { "AKIDTEST", "s3cret", "t0ken", "abcdef", "Signature=" })
        {
            Assert.DoesNotContain(secret, text, StringComparison.OrdinalIgnoreCase);
        }
    }

    private sealed class Seen : HttpMessageHandler
    {
        public List<bool> Signed { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Signed.Add(BucketUpstreamTests.Signed.Any(request.Headers.Contains));
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.NotFound));
        }
    }
}
