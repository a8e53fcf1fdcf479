using TrustixProxy.IO.Certificates;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Pipelining;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Pipelining;

/// <summary>Requests that wait behind another one on their connection are decided on meanwhile, under the limits of their client.</summary>
public sealed class LookAheadTests
{
    /// <summary>As many requests as the server surely has of one write when it begins the first.</summary>
    private const int Together = 20;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_pipeline_is_decided_together_and_answered_in_order(bool isTls)
    {
        var outputs = Enumerable.Range(0, 150).Select(i => TestOutput.Make($"package-{i}")).ToList();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        using var folder = new TestFolder();
        var (file, key) = TestCertificate.Write(folder.Path, "proxy.example");
        Assert.True(TlsCertificate.TryLoad(file, key, out var certificate, out _));
        proxy.Change = options => isTls ? options with
        {
            FrontDoor = options.FrontDoor with { Listen = ["https://127.0.0.1:0"], Certificate = certificate },
        } : options;
        outputs.ForEach(output => proxy.Publish(output, "alice", "bob", "carol"));
        await proxy.StartAsync();
        var held = new HeldUpstream(proxy.Upstream());
        await using var client = await PipelineClient.ConnectAsync(proxy, isTls);

        await client.WriteAsync(string.Concat(outputs.Select(output => Pipelines.Get(output.Path.Digest))));
        await UntilAsync(() => held.Digests.Count > Together);
        held.LetGo();
        var answers = await client.ReadAsync(outputs.Count);

        Assert.All(outputs.Zip(answers), pair => Assert.Contains($"{pair.First.Path}\n", pair.Second.Body, StringComparison.Ordinal));
        Assert.Equal(outputs.Select(output => $"{output.Path.Digest}").Order(), held.Digests.Order());
    }

    [Fact]
    public async Task What_is_in_memory_is_not_decided_again_and_nothing_is_asked_for_twice()
    {
        var digests = Enumerable.Range(0, 50).Select(_ => Pipelines.RandomDigest()).ToList();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();
        var held = new HeldUpstream(proxy.Upstream());
        held.LetGo();
        await using var client = await PipelineClient.ConnectAsync(proxy);

        await client.WriteAsync(string.Concat(digests.Concat(digests).Select(digest => Pipelines.Get(digest))));
        var answers = await client.ReadAsync(2 * digests.Count);

        Assert.All(answers, answer => Assert.Equal(404, answer.Status));
        Assert.Equal(digests.Count, held.Digests.Count);
    }

    [Theory]
    [InlineData("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {0}\r\n\r\n{1}")]
    [InlineData("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{0:x}\r\n{1}\r\n0\r\n\r\n")]
    [InlineData("GET /nix-cache-info HTTP/1.1\r\nHost: x\r\nContent-Length: {0}\r\n\r\n{1}")]
    public async Task A_body_is_never_looked_into(string request)
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();
        var held = new HeldUpstream(proxy.Upstream());
        held.LetGo();
        await using var client = await PipelineClient.ConnectAsync(proxy);
        var digests = Enumerable.Range(0, 3).Select(_ => Pipelines.RandomDigest()).ToList();
        var body = string.Concat(Enumerable.Repeat(Pipelines.Get(Pipelines.RandomDigest()), 5));

        await client.WriteAsync(string.Concat(digests.Select(digest => Pipelines.Get(digest)))
            + string.Format(System.Globalization.CultureInfo.InvariantCulture, request, body.Length, body));
        await client.ReadAsync(digests.Count + 1);

        while (await client.ReadAsync() is not null)
        {
            Assert.Fail("A body was answered.");
        }

        Assert.Equal(digests.Select(digest => $"{digest}").Order(), held.Digests.Order());
    }

    [Fact]
    public async Task Of_a_connection_whose_first_request_was_refused_nothing_is_decided_ahead()
    {
        await using var proxy = await StartAsync(frontDoor => frontDoor with { Credentials = Credentials() });
        var held = new HeldUpstream(proxy.Upstream());
        held.LetGo();
        await using var client = await PipelineClient.ConnectAsync(proxy);
        var known = string.Concat(Enumerable.Range(0, 30).Select(_ => Get("token-of-alice")));

        await client.WriteAsync(Get("guess") + known);
        var answers = await client.ReadAsync(31);

        Assert.Equal(Enumerable.Repeat(404, 30).Prepend(401), answers.Select(answer => answer.Status));
        Assert.Equal((30, 1), (held.Digests.Count, held.Most));
    }

    [Fact]
    public async Task Requests_of_another_client_on_the_same_connection_are_not_decided_ahead()
    {
        await using var proxy = await StartAsync(frontDoor => frontDoor with { Credentials = Credentials() });
        var held = new HeldUpstream(proxy.Upstream());
        await using var client = await PipelineClient.ConnectAsync(proxy);
        var requests = Enumerable.Range(0, Together + 1).Select(_ => Get("token-of-alice") + Get("guess") + Get("token-of-bob")).ToList();

        await client.WriteAsync(string.Concat(requests[..7]));
        await UntilAsync(() => held.Digests.Count is 7);
        held.LetGo();
        var answers = await client.ReadAsync(21);

        Assert.Equal(Enumerable.Repeat(new[] { 404, 401, 404 }, 7).SelectMany(three => three), answers.Select(answer => answer.Status));
        Assert.Equal(14, held.Digests.Count);
    }

    [Fact]
    public async Task Behind_a_balancer_only_requests_of_the_same_client_are_decided_ahead()
    {
        await using var proxy = await StartAsync(frontDoor => frontDoor with
        {
            ForwardedFrom = new ForwardedClients([new System.Net.IPNetwork(System.Net.IPAddress.Loopback, 32)], IsUnixTrusted: false),
            EachClient = new LoadLimits(RequestsPerSecond: 5),
        });
        var held = new HeldUpstream(proxy.Upstream());
        await using var client = await PipelineClient.ConnectAsync(proxy);
        string Of(string address) => Pipelines.Get(Pipelines.RandomDigest(), $"X-Forwarded-For: {address}\r\n");

        await client.WriteAsync(string.Concat(Enumerable.Range(0, 5).Select(_ => Of("192.0.2.1") + Of("192.0.2.2"))));
        await UntilAsync(() => held.Digests.Count is 5);
        held.LetGo();
        var answers = await client.ReadAsync(10);

        Assert.All(answers, answer => Assert.Equal(404, answer.Status));
    }

    [Fact]
    public async Task A_flood_of_random_digests_costs_upstreams_no_more_than_its_rate()
    {
        const int rate = 20;
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var (asked, excess, turn) = (0, 0.0, new Lock());
        await using var proxy = await StartAsync(frontDoor => frontDoor with { EachClient = new LoadLimits(RequestsPerSecond: rate) });
        var held = new HeldUpstream(proxy.Upstream())
        {
            Asked = () =>
            {
                lock (turn)
                {
                    excess = Math.Max(excess, ++asked - (rate * (1 + clock.Elapsed.TotalSeconds)));
                }
            },
        };
        held.LetGo();
        await using var client = await PipelineClient.ConnectAsync(proxy);
        clock.Restart();

        await client.WriteAsync(string.Concat(Enumerable.Range(0, 60).Select(_ => Pipelines.Get(Pipelines.RandomDigest()))));
        var answers = await client.ReadAsync(60);

        Assert.All(answers, answer => Assert.Equal(404, answer.Status));
        Assert.Equal(60, held.Digests.Count);
        Assert.True(excess <= 1, $"{excess} requests too many");
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), $"{clock.Elapsed}"); // each is charged once: 20 at once, 40 in two seconds
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task No_more_is_decided_at_once_than_the_concurrency_of_a_client_or_of_all(bool isClients)
    {
        var limits = new LoadLimits(Concurrency: 4);
        await using var proxy = await StartAsync(
            frontDoor => isClients ? frontDoor with { EachClient = limits } : frontDoor with { AllClients = limits });
        var held = new HeldUpstream(proxy.Upstream()) { Delay = TimeSpan.FromMilliseconds(5) };
        await using var client = await PipelineClient.ConnectAsync(proxy);

        await client.WriteAsync(string.Concat(Enumerable.Range(0, 60).Select(_ => Pipelines.Get(Pipelines.RandomDigest()))));
        await UntilAsync(() => held.Digests.Count > 1);
        held.LetGo();
        var answers = await client.ReadAsync(60);

        Assert.All(answers, answer => Assert.Equal(404, answer.Status));
        Assert.InRange(held.Most, 2, 4);
    }

    [Fact]
    public async Task A_connection_goes_on_after_a_reload()
    {
        await using var proxy = await StartAsync(frontDoor => frontDoor);
        await using var client = await PipelineClient.ConnectAsync(proxy);
        await client.WriteAsync(Pipelines.Get(Pipelines.RandomDigest()));
        await client.ReadAsync(1);
        var held = new HeldUpstream(proxy.Upstream());

        Assert.Empty(await proxy.ReloadAsync(options => options with { Deadline = TimeSpan.FromSeconds(25) }));
        await client.WriteAsync(string.Concat(Enumerable.Range(0, 60).Select(_ => Pipelines.Get(Pipelines.RandomDigest()))));
        await UntilAsync(() => held.Digests.Count > Together);
        held.LetGo();

        Assert.All(await client.ReadAsync(60), answer => Assert.Equal(404, answer.Status));
    }

    [Fact]
    public async Task A_connection_that_breaks_in_the_middle_harms_nothing()
    {
        await using var proxy = await StartAsync(frontDoor => frontDoor);
        var held = new HeldUpstream(proxy.Upstream());
        for (var round = 0; round < 10; round++)
        {
            await using var client = await PipelineClient.ConnectAsync(proxy);
            await client.WriteAsync(string.Concat(Enumerable.Range(0, 300).Select(_ => Pipelines.Get(Pipelines.RandomDigest()))));
            await UntilAsync(() => held.Digests.Count > round * Together);
            client.Reset();
        }

        held.LetGo();
        Assert.Equal(System.Net.HttpStatusCode.NotFound, (await proxy.AskAsync(TestOutput.PathOf("x"))).Status);
        Assert.DoesNotContain(proxy.Lines, line => line.Contains("a bug in this program", StringComparison.Ordinal));
    }

    private static string Get(string token) =>
        Pipelines.Get(Pipelines.RandomDigest(), $"Authorization: Bearer {token}\r\n");

    private static ClientCredentials Credentials()
    {
        var credentials = new ClientCredentials();
        credentials.TryAdd(ClientScheme.Bearer, "alice", "token-of-alice");
        credentials.TryAdd(ClientScheme.Bearer, "bob", "token-of-bob");
        return credentials;
    }

    private static async Task<TestProxy> StartAsync(Func<FrontDoorOptions, FrontDoorOptions> change)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { FrontDoor = change(options.FrontDoor), Deadline = TimeSpan.FromSeconds(20) };
        return await proxy.StartAsync();
    }
}
