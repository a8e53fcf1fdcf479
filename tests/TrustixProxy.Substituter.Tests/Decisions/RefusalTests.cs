using System.Diagnostics;
using System.Net;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>Refusals are asked about again soon, live in memory only, and are bounded in what they cost others.</summary>
public sealed class RefusalTests
{
    private readonly ManualTime _clock = new();
    private readonly StorePathDigest _digest = TestOutput.PathOf("refused").Digest;
    private readonly ManualNews _news = new();

    [Fact]
    public void A_refusal_lives_two_seconds_and_twice_as_long_each_time_that_it_is_asked_again_unchanged_up_to_a_minute()
    {
        var memory = new RefusalMemory(_news, _clock);
        foreach (var seconds in new[] { 2, 4, 8, 16, 32, 60, 60 })
        {
            memory.Keep(_digest, Refusal(Outcome.Undecided), _news.Value);
            _clock.Now += TimeSpan.FromSeconds(seconds) - TimeSpan.FromMilliseconds(1);
            Assert.NotNull(memory.FindAlive(_digest));
            _clock.Now += TimeSpan.FromMilliseconds(1);
            Assert.Null(memory.FindAlive(_digest));
            Assert.NotNull(memory.Find(_digest));
        }
    }

    [Theory]
    [InlineData(Outcome.Conflict, true, false)]
    [InlineData(Outcome.Undecided, false, false)]
    [InlineData(Outcome.Undecided, true, true)]
    public void Another_refusal_an_unsettled_one_and_news_make_it_young_again(Outcome outcome, bool isSettled, bool hasNews)
    {
        var memory = new RefusalMemory(_news, _clock);
        memory.Keep(_digest, Refusal(Outcome.Undecided), _news.Value);
        memory.Keep(_digest, Refusal(Outcome.Undecided), _news.Value);
        if (hasNews)
        {
            _news.Now++;
        }
        else
        {
            memory.Keep(_digest, Refusal(outcome, isSettled), _news.Value);
        }

        _clock.Now += RefusalMemory.Young;

        Assert.Null(memory.FindAlive(_digest));
    }

    [Theory]
    [InlineData(Outcome.NoUpstream, false)]
    [InlineData(Outcome.Undecided, true)]
    public void A_refusal_for_want_of_an_upstream_ends_as_soon_as_one_is_back(Outcome outcome, bool isAlive)
    {
        var memory = new RefusalMemory(_news, _clock);
        memory.Keep(_digest, Refusal(outcome), _news.Value);
        Assert.NotNull(memory.FindAlive(_digest));

        _news.Returns++;

        Assert.Equal(isAlive, memory.FindAlive(_digest) is not null);
        Assert.Equal(!isAlive, memory.IsOver(_digest));
        memory.Keep(_digest, Refusal(outcome), _news.Value);
        Assert.NotNull(memory.FindAlive(_digest));
        Assert.False(memory.IsOver(_digest));
    }

    [Fact]
    public void However_many_there_are_they_stay_within_their_room_and_only_the_newest_keep_what_they_rest_on()
    {
        var memory = new RefusalMemory(_news, _clock, 100_000);
        var digests = Enumerable.Range(0, 1000).Select(_ => TestOutput.PathOf("x").Digest).ToList();

        digests.ForEach(digest => memory.Keep(digest, Refusal(Outcome.Undecided) with { Withholds = true }, default));

        Assert.InRange(memory.Size, 50_000, 100_000);
        Assert.Null(memory.Find(digests[0]));
        Assert.False(memory.IsWithheld(digests[0].ToString()));
        Assert.NotNull(memory.Find(digests[^1]));
        Assert.True(memory.IsWithheld(digests[^1].ToString()));
        memory.Forget(digests[^1]);
        Assert.False(memory.IsWithheld(digests[^1].ToString()));
    }

    [Fact]
    public void The_budget_for_asking_again_is_so_many_a_second()
    {
        var budget = new AskingBudget(50, _clock);
        Assert.Equal(50, Enumerable.Range(0, 200).Count(_ => budget.TryTake()));

        _clock.Now += TimeSpan.FromMilliseconds(100);
        Assert.Equal(5, Enumerable.Range(0, 200).Count(_ => budget.TryTake()));
        _clock.Now += TimeSpan.FromHours(1);
        Assert.Equal(50, Enumerable.Range(0, 200).Count(_ => budget.TryTake()));
    }

    [Fact]
    public async Task A_path_that_is_published_after_somebody_asked_for_it_is_found_within_seconds()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(output.Path)).Status);

        proxy.Publish(output, "alice", "bob");

        await UntilAsync(async () => (await proxy.AskAsync(output.Path)).Decision is "agreed");
    }

    [Fact]
    public async Task Random_misses_by_one_client_write_nothing_to_the_disk_and_few_messages()
    {
        await using var proxy = new TestProxy();
        await proxy.AddUpstreamAsync("main");
        await proxy.StartAsync();
        await proxy.AskAsync(TestOutput.PathOf("first"));
        var before = SizeOf(proxy.StateDirectory);

        await Parallel.ForEachAsync(Enumerable.Range(0, 2000), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (_, _) =>
            await proxy.AskAsync(TestOutput.PathOf("miss")));

        Assert.Equal(before, SizeOf(proxy.StateDirectory));
        Assert.InRange(proxy.Lines.Count(line => line.Contains(" 400", StringComparison.Ordinal)), 1, 10);
    }

    [Fact]
    public async Task Refused_paths_that_many_clients_ask_for_are_asked_about_again_within_the_budget()
    {
        var paths = Enumerable.Range(0, 300).Select(i => TestOutput.PathOf($"refused-{i}")).ToList();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();
        var start = Stopwatch.GetTimestamp();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            for (var turn = i; Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(8); turn++)
            {
                Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(paths[turn * 37 % paths.Count])).Status);
            }
        }));

        var most = paths.Count + (50 * (Stopwatch.GetElapsedTime(start).TotalSeconds + 1));
        Assert.InRange(proxy.Upstream().Requests.Count, 1, most);
    }

    [Fact]
    public async Task Requests_for_a_nar_that_the_record_does_not_name_have_nothing_decided_anew()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(output, "alice", "bob", "carol").StartAsync();
        var narInfo = await proxy.NarInfoAsync(output);
        await UntilAsync(() => proxy.Log("carol").Calls.Contains("GetMapValue"));
        await Task.Delay(100);
        var calls = proxy.Log("alice").Calls.Count(call => call is "GetMapValue");
        var other = NixHash.Sha256(new byte[32]).Digits;

        for (var i = 0; i < 20; i++)
        {
            await proxy.AskAsync($"nar/{output.Path.Digest}/{narInfo.NarHash.Digits}/{other}.nar.xz");
            await proxy.NarInfoAsync(output);
        }

        Assert.Equal(calls, proxy.Log("alice").Calls.Count(call => call is "GetMapValue"));
    }

    private static long SizeOf(string directory) =>
        new DirectoryInfo(directory).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);

    private KeptRefusal Refusal(Outcome outcome, bool isSettled = true) =>
        new(new Decision(DecisionRecord.Refusal(outcome, "a reason", _clock.Now), new byte[100]), KeptRefusal.GistOf(outcome, null),
            isSettled, Withholds: false, null);

    private sealed class ManualNews : News
    {
        public long Now { get; set; }

        public long Returns { get; set; }

        public override NewsMark Value => new(Now, Returns);
    }
}
