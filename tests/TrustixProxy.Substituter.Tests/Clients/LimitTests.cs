using System.Diagnostics;
using System.Net;
using System.Threading.RateLimiting;
using TrustixProxy.Substituter.Fairness;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Clients;

public sealed class LimitTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_request_waits_for_its_turn_and_only_what_overflows_is_told_to_come_later(bool isClients)
    {
        await using var held = await HeldProxy.StartAsync(isClients, new LoadLimits(Concurrency: 1, Waiting: 2));

        var first = held.AskAsync();
        await held.IsAskedAsync();
        var later = Enumerable.Range(0, 3).Select(_ => held.AskAsync()).ToList();
        var overflow = await Task.WhenAny(later); // those that wait come to no end before the first does
        later.Remove(overflow);
        held.LetGo();

        Assert.Equal((HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(1)),
            ((await overflow).StatusCode, (await overflow).Headers.RetryAfter!.Delta));
        Assert.All(await Task.WhenAll(later.Append(first)), answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
    }

    [Fact]
    public async Task One_client_at_its_limit_takes_nothing_from_another()
    {
        await using var held = await HeldProxy.StartAsync(isClients: true, new LoadLimits(Concurrency: 1, Waiting: 0));

        var first = held.AskAsync("10.0.0.1");
        await held.IsAskedAsync();
        var (same, other) = (await held.AskAsync("10.0.0.1", "nix-cache-info"), await held.AskAsync("10.0.0.2", "nix-cache-info"));
        held.LetGo();

        Assert.Equal((HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK), (same.StatusCode, other.StatusCode));
        Assert.Equal(HttpStatusCode.OK, (await first).StatusCode);
    }

    [Fact]
    public async Task Who_goes_away_while_waiting_makes_room()
    {
        await using var held = await HeldProxy.StartAsync(isClients: true, new LoadLimits(Concurrency: 1, Waiting: 1));

        var first = held.AskAsync();
        await held.IsAskedAsync();
        using var impatient = new CancellationTokenSource();
        var two = Enumerable.Range(0, 2).Select(_ => held.AskAsync(cancellation: impatient.Token)).ToList();
        var overflow = await Task.WhenAny(two);
        two.Remove(overflow);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => two[0]);
        Task<HttpResponseMessage> second;
        do
        {
            second = held.AskAsync();
        }
        // until the proxy has noticed, it is turned away at once
        while (await Task.WhenAny(second, Task.Delay(TimeSpan.FromMilliseconds(500))) == second);
        held.LetGo();

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await overflow).StatusCode);
        Assert.All(new[] { await first, await second }, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
    }

    [Fact]
    public async Task Requests_come_no_faster_than_they_may_and_none_is_lost()
    {
        await using var proxy = await new TestProxy
        {
            Change = options =>
            options with { FrontDoor = options.FrontDoor with { EachClient = new LoadLimits(RequestsPerSecond: 20) } }
        }.StartAsync();
        var timer = Stopwatch.StartNew();

        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => proxy.AskAsync("nix-cache-info")));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
        Assert.True(timer.Elapsed > TimeSpan.FromSeconds(0.8), $"{timer.Elapsed}"); // 20 at once, then 20 a second
    }

    [Fact]
    public async Task Bytes_come_no_faster_than_they_may_and_all_of_them()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        var output = TestOutput.Make(size: 300_000);
        proxy.Change = options =>
            options with { FrontDoor = options.FrontDoor with { EachClient = new LoadLimits(BytesPerSecond: 200_000) } };
        await proxy.Publish(output, "alice", "bob", "carol").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        var timer = Stopwatch.StartNew();

        var nar = await proxy.NarAsync(narInfo);

        Assert.Equal(output.Nar, nar);
        Assert.True(timer.Elapsed > TimeSpan.FromSeconds(0.4), $"{timer.Elapsed}"); // 200 kB at once, then 200 kB a second
    }

    [Fact]
    public async Task Requests_of_one_client_over_the_limit_of_all_do_not_hold_up_another()
    {
        await using var held = await HeldProxy.StartAsync(isClients: false, new LoadLimits(Concurrency: 8, Waiting: 20));
        var greedy = Enumerable.Range(0, 20).Select(_ => held.AskAsync("192.0.2.1")).ToList();
        await held.IsAskedAsync();

        var modest = await held.AskAsync("192.0.2.2", "nix-cache-info").WaitAsync(TimeSpan.FromMinutes(1));
        var isHeld = greedy.All(answer => !answer.IsCompleted);
        held.LetGo();

        Assert.Equal((HttpStatusCode.OK, true), (modest.StatusCode, isHeld));
        Assert.All(await Task.WhenAll(greedy), answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
    }

    [Theory]
    [InlineData("10.0.0.1", "192.0.2.9", true)]
    [InlineData("192.0.2.9, 127.0.0.1", "192.0.2.9", false)]
    [InlineData("10.0.0.1, 192.0.2.9", "10.0.0.2, 192.0.2.9", false)]
    public async Task A_client_is_who_the_last_trusted_proxy_says_it_is(string first, string second, bool areTwo)
    {
        await using var held = await HeldProxy.StartAsync(isClients: true, new LoadLimits(Concurrency: 1, Waiting: 0));

        var running = held.AskAsync(first);
        await held.IsAskedAsync();
        var answer = await held.AskAsync(second, "nix-cache-info");
        held.LetGo();
        await running;

        Assert.Equal(areTwo ? HttpStatusCode.OK : HttpStatusCode.ServiceUnavailable, answer.StatusCode);
    }

    [Fact]
    public async Task What_a_limiter_has_no_room_for_is_not_written_before_its_turn()
    {
        await using var bytes = PartitionedRateLimiter.Create<Requester, Requester>(client =>
            RateLimitPartition.GetConcurrencyLimiter(client, _ => new ConcurrencyLimiterOptions { PermitLimit = 10, QueueLimit = 0 }));
        using var body = new MemoryStream();
        await using var metered = new MeteredStream(body, bytes, default, atOnce: 10);
        var others = bytes.AttemptAcquire(default, 10);

        var writing = metered.WriteAsync(new byte[20]).AsTask();
        await Task.Delay(300);
        var before = body.Length;
        others.Dispose();
        await writing;

        Assert.Equal((0, 20), (before, body.Length));
    }

    [Fact]
    public async Task Nobody_is_believed_who_a_client_is_unless_configured()
    {
        await using var held = await HeldProxy.StartAsync(isClients: true, new LoadLimits(Concurrency: 1, Waiting: 0), forwarded: null);

        var running = held.AskAsync("10.0.0.1");
        await held.IsAskedAsync();
        var answer = await held.AskAsync("10.0.0.2", "nix-cache-info");
        held.LetGo();
        await running;

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
    }

    /// <summary>A proxy whose upstream answers when the test says so, and one path that is agreed on.</summary>
    private sealed class HeldProxy : IAsyncDisposable
    {
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously),
            _go = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TestOutput _output = TestOutput.Make();
        private readonly TestProxy _proxy;

        private HeldProxy(TestProxy proxy) => _proxy = proxy;

        public static async Task<HeldProxy> StartAsync(bool isClients, LoadLimits limits) =>
            await StartAsync(isClients, limits, new ForwardedClients([new IPNetwork(IPAddress.Loopback, 32)], IsUnixTrusted: false));

        public static async Task<HeldProxy> StartAsync(bool isClients, LoadLimits limits, ForwardedClients? forwarded)
        {
            var held = new HeldProxy(await TestProxy.WithThreeLogsAsync());
            var frontDoor = isClients ? new FrontDoorOptions { EachClient = limits } : new FrontDoorOptions { AllClients = limits };
            held._proxy.Change = options => options with
            {
                FrontDoor = frontDoor with { Listen = options.FrontDoor.Listen, ForwardedFrom = forwarded },
                Deadline = TimeSpan.FromSeconds(60),
            };
            held._proxy.Upstream().Intercept = async context =>
            {
                if (!context.Request.Path.Value!.EndsWith(".narinfo", StringComparison.Ordinal))
                {
                    return false; // a probe
                }

                held._asked.TrySetResult();
                await held._go.Task;
                return false;
            };
            await held._proxy.Publish(held._output, "alice", "bob", "carol").StartAsync();
            return held;
        }

        public Task IsAskedAsync() => _asked.Task;

        public void LetGo() => _go.TrySetResult();

        public async Task<HttpResponseMessage> AskAsync(
            string? forwarded = null, string? path = null, CancellationToken cancellation = default)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_proxy.Url, path ?? $"{_output.Path.Digest}.narinfo"));
            request.Headers.TryAddWithoutValidation("X-Forwarded-For", forwarded is null ? [] : [forwarded]);
            return await _proxy.Client.SendAsync(request, cancellation);
        }

        public ValueTask DisposeAsync()
        {
            LetGo();
            return _proxy.DisposeAsync();
        }
    }
}
