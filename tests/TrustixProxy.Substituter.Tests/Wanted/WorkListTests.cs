using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Substituter.Inspection;
using TrustixProxy.Substituter.Wanted;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Wanted;

/// <summary>What comes on the work list, through the whole proxy.</summary>
public sealed class WorkListTests
{
    [Fact]
    public async Task Each_undecided_path_says_what_it_lacks_and_the_one_that_holds_back_most_roots_comes_first()
    {
        var (none, one, tie, decided) = (TestOutput.Make("none"), TestOutput.Make("one"), TestOutput.Make("tie"), TestOutput.Make("good"));
        var deriver = TestOutput.PathOf("one.drv");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(none).Publish(one, "alice").Publish(tie, "alice").Publish(decided, "alice", "bob");
        proxy.Log("bob").Publish(tie.Forge().Statement);
        proxy.Log("carol").Publish(tie.Forge().Statement);
        proxy.Upstream().Add(one, "none", text => $"{text}Deriver: {deriver}\n");
        await proxy.StartAsync();
        Report(one, 3).Keep(proxy.StateDirectory);

        foreach (var output in new[] { none, one, tie, decided })
        {
            await proxy.AskAsync(output.Path);
        }

        await AskFromAsync(proxy, "127.0.0.2", tie);
        var list = await ListAsync(proxy);
        Assert.Equal([one.Path.Absolute, tie.Path.Absolute, none.Path.Absolute], list.Select(entry => entry.StorePath));
        Assert.Equal([(1, 3), (2, 0), (1, 0)], list.Select(entry => (entry.Requests, entry.Roots)));
        Assert.Equal(["second-opinion", "tie-break", "votes"], list.Select(entry => entry.Reason));
        Assert.Equal(["bob,carol", "", "alice,bob,carol"], list.Select(entry => string.Join(',', entry.Missing)));
        Assert.Equal([deriver.Absolute], list[0].Derivers);
        Assert.Empty(list[1].Derivers);
    }

    [Fact]
    public async Task One_address_counts_once_however_often_it_asks()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice").StartAsync();

        for (var i = 0; i < 1000; i++)
        {
            await proxy.AskAsync(output.Path);
        }

        Assert.Equal(1, Assert.Single(await ListAsync(proxy)).Requests);
        await AskFromAsync(proxy, "127.0.0.2", output);
        await AskFromAsync(proxy, "127.0.0.3", output);
        Assert.Equal(3, Assert.Single(await ListAsync(proxy)).Requests);
    }

    [Fact]
    public async Task Each_answer_has_the_next_turn_and_another_process_begins_elsewhere()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();
        async Task<long> TurnAsync()
        {
            using var answer = await proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, "/wanted"));
            return long.Parse(answer.Headers.GetValues("X-Trustix-Turn").Single(), CultureInfo.InvariantCulture);
        }

        var first = await TurnAsync();
        Assert.Equal([first + 1, first + 2], [await TurnAsync(), await TurnAsync()]);

        var firsts = Enumerable.Range(0, 20).Select(_ => new WantedTable(new byte[32], TimeProvider.System).TakeTurn() % 64);
        Assert.True(firsts.Distinct().Count() > 1);
    }

    [Fact]
    public async Task Random_digests_leave_no_trace()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();

        await Parallel.ForEachAsync(Enumerable.Range(0, 5000), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (_, _) =>
            await proxy.AskAsync(TestOutput.PathOf("random")));

        Assert.Empty(await ListAsync(proxy));
        Assert.False(File.Exists(Path.Combine(proxy.StateDirectory, WantedSnapshot.FileName)));
    }

    [Fact]
    public async Task What_only_waits_for_its_votes_to_grow_old_is_not_wanted()
    {
        var (young, single) = (TestOutput.Make("young-1"), TestOutput.Make("single-1"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.ChangePolicy = policy => new Policy(policy.Electors, 2) { MinimumAge = TimeSpan.FromDays(1) };
        await proxy.Publish(young, "alice", "bob").Publish(single, "alice").StartAsync();

        Assert.Contains("; the quorum lacks votes", (await proxy.AskAsync(young.Path)).Text, StringComparison.Ordinal);
        await proxy.AskAsync(single.Path);

        Assert.Equal(single.Path.Absolute, Assert.Single(await ListAsync(proxy)).StorePath);
    }

    [Fact]
    public async Task What_is_agreed_on_later_leaves_the_list()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice").StartAsync();
        await proxy.AskAsync(output.Path);
        Assert.Single(await ListAsync(proxy));

        proxy.Publish(output, "bob");
        await UntilAsync(async () => (await proxy.AskAsync(output.Path)).Decision is "agreed");

        Assert.Empty(await ListAsync(proxy));
    }

    [Fact]
    public async Task A_restarted_proxy_has_its_list_and_starts_empty_with_a_warning_when_the_snapshot_is_damaged()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice").StartAsync();
        await proxy.AskAsync(output.Path);
        var file = Path.Combine(proxy.StateDirectory, WantedSnapshot.FileName);
        await UntilAsync(() => File.Exists(file));

        await proxy.RestartAsync();
        await proxy.AskAsync(output.Path);
        Assert.Equal(1, Assert.Single(await ListAsync(proxy)).Requests);

        await proxy.StopAsync();
        await File.WriteAllTextAsync(file, "nonsense");
        await proxy.StartAsync();
        Assert.Empty(await ListAsync(proxy));
        Assert.Contains(proxy.Lines, line => line.StartsWith("Warning 7201 The work list starts empty", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_snapshot_is_not_written_again_within_a_minute()
    {
        var outputs = Enumerable.Range(0, 8).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        outputs.ForEach(output => proxy.Publish(output, "alice"));
        await proxy.StartAsync();
        var file = Path.Combine(proxy.StateDirectory, WantedSnapshot.FileName);
        await proxy.AskAsync(outputs[0].Path);
        await UntilAsync(() => File.Exists(file));
        var written = File.GetLastWriteTimeUtc(file);

        foreach (var output in outputs)
        {
            await proxy.AskAsync(output.Path);
            await Task.Delay(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(8, (await ListAsync(proxy)).Count);
        Assert.Equal(written, File.GetLastWriteTimeUtc(file));
    }

    [Fact]
    public async Task A_reload_keeps_the_list_and_leaves_out_what_has_become_private()
    {
        var (open, closed) = (TestOutput.Make("open"), TestOutput.Make("acme-tool"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(open, "alice").Publish(closed, "alice").StartAsync();
        await proxy.AskAsync(open.Path);
        await proxy.AskAsync(closed.Path);
        Assert.Equal(2, (await ListAsync(proxy)).Count);

        Assert.Empty(await proxy.ReloadAsync(options => options with { WantedExclude = ["acme-*"] }));

        await proxy.AskAsync(closed.Path);
        Assert.Equal(open.Path.Absolute, Assert.Single(await ListAsync(proxy)).StorePath);
    }

    [Fact]
    public async Task What_report_mode_serves_without_a_quorum_is_wanted_too()
    {
        var output = TestOutput.Make();
        var key = NixSecretKey.Generate("cache-1");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Caches.Add(new CacheOptions(new Elector.Cache("nixos", "nixos", [key.PublicKey]), proxy.Upstream().Url));
        proxy.ChangePolicy = policy => new Policy(policy.Electors, 2) { Fallback = "nixos" };
        proxy.Upstream().Add(output, "none", text => $"{text}Sig: {key.Sign(output.NarInfo().Fingerprint)}\n");
        await proxy.StartAsync();

        Assert.Equal("report", (await proxy.AskAsync(output.Path)).Decision);
        await AskFromAsync(proxy, "127.0.0.2", output); // from memory

        var entry = Assert.Single(await ListAsync(proxy));
        Assert.Equal(("second-opinion", 2), (entry.Reason, entry.Requests));
    }

    [Fact]
    public async Task Where_closures_are_required_the_refused_reference_is_wanted_and_not_the_agreed_root()
    {
        var reference = TestOutput.Make("library");
        var root = TestOutput.Make("root", 100, reference.Path);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.ChangePolicy = policy => new Policy(policy.Electors, 2) { RequiresClosure = true };
        await proxy.Publish(root, "alice", "bob").Publish(reference, "alice").StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(root.Path)).Status);

        Assert.Equal(reference.Path.Absolute, Assert.Single(await ListAsync(proxy)).StorePath);
    }

    [Fact]
    public async Task With_a_token_everyone_must_show_it()
    {
        var readers = new ClientCredentials();
        readers.TryAdd(ClientScheme.Bearer, "wanted", "s3cret");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { WantedReaders = readers };
        await proxy.StartAsync();

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(proxy, null));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(proxy, "Bearer s3cret2"));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(proxy, "Basic d2FudGVkOnMzY3JldA=="));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(proxy, "Bearer s3cret"));
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.9", true)]
    [InlineData("::ffff:127.0.0.1", "::ffff:127.0.0.1", true)]
    [InlineData("::1", "::1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    [InlineData("192.0.2.1", "127.0.0.1", false)]
    [InlineData("127.0.0.1", "192.0.2.2", false)]
    public void Without_a_token_only_loopback_is_answered(string local, string remote, bool isAnswered)
    {
        var context = new DefaultHttpContext();
        (context.Connection.LocalIpAddress, context.Connection.RemoteIpAddress) = (IPAddress.Parse(local), IPAddress.Parse(remote));

        Assert.Equal(isAnswered, WantedEndpoint.MayRead(context, null));
    }

    private static DoctorSummary Report(TestOutput output, int roots) => new(1, 0, new Dictionary<string, int>(), [],
        [new RefusedPath(output.Path.Absolute, "undecided", "", false, null, 5, new Dictionary<string, string>()) { Roots = roots }], []);

    private static async Task<IReadOnlyList<WantedEntry>> ListAsync(TestProxy proxy)
    {
        var text = await proxy.Client.GetStringAsync(new Uri(proxy.OperationsUrl, "/wanted"));
        return JsonSerializer.Deserialize<WantedList>(text, JsonSerializerOptions.Web)!.Wanted;
    }

    private static async Task<HttpStatusCode> StatusAsync(TestProxy proxy, string? authorization)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(proxy.OperationsUrl, "/wanted"));
        request.Headers.TryAddWithoutValidation("Authorization", authorization is null ? [] : [authorization]);
        using var response = await proxy.Client.SendAsync(request);
        Assert.Equal(response.StatusCode is HttpStatusCode.Unauthorized, response.Headers.WwwAuthenticate.Count > 0);
        return response.StatusCode;
    }

    /// <summary>Asks for a path from another address of this machine.</summary>
    private static async Task AskFromAsync(TestProxy proxy, string address, TestOutput output)
    {
        using var client = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (context, cancellation) =>
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
                await socket.ConnectAsync(IPAddress.Loopback, context.DnsEndPoint.Port, cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        });
        using var response = await client.GetAsync(new Uri(proxy.Url, $"{output.Path.Digest}.narinfo"));
    }
}
