using System.Net;
using Microsoft.Data.Sqlite;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>What is remembered, for how long, and what makes it forgotten.</summary>
public sealed class DecisionTests
{
    [Fact]
    public async Task What_has_been_served_is_on_the_disk_and_outlives_any_crash()
    {
        var outputs = Enumerable.Range(0, 20).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        outputs.ForEach(output => proxy.Publish(output, "alice", "bob"));
        await proxy.StartAsync();
        using var database = new StateDatabase(proxy.StateDirectory, isDurable: false);
        var store = new DecisionStore(database);

        foreach (var output in outputs)
        {
            await proxy.NarInfoAsync(output);

            Assert.NotNull(store.Find(output.Path.Digest));
        }
    }

    [Fact]
    public async Task An_agreement_outlives_a_restart_with_every_log_dead()
    {
        var output = TestOutput.Make("hello", 100, TestOutput.PathOf("dep"));
        await using var proxy = await StartAsync(output);
        var before = await proxy.NarInfoAsync(output);

        foreach (var name in new[] { "alice", "bob", "carol" })
        {
            await proxy.Log(name).StopAsync();
        }

        await proxy.RestartAsync();

        Assert.Equal(before, await proxy.NarInfoAsync(output));
        Assert.Equal(output.Nar, await proxy.NarAsync(before));
    }

    [Fact]
    public async Task A_warm_answer_asks_nobody()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output);
        await proxy.NarInfoAsync(output);
        var (calls, requests) = (proxy.Log("alice").Calls.Count, proxy.Upstream().Requests.Count);

        for (var i = 0; i < 20; i++)
        {
            await proxy.NarInfoAsync(output);
        }

        Assert.Equal((calls, requests), (proxy.Log("alice").Calls.Count, proxy.Upstream().Requests.Count));
    }

    [Fact]
    public async Task All_who_ask_at_once_share_one_asking()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output);
        proxy.Log("alice").Delay = proxy.Log("bob").Delay = TimeSpan.FromMilliseconds(100);

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => proxy.AskAsync(output.Path)));

        Assert.All(answers, answer => Assert.Equal("agreed", answer.Decision));
        Assert.Equal(1, proxy.Log("alice").Calls.Count(call => call is "GetMapValue"));
        Assert.Single(proxy.Upstream().Requests);
    }

    [Fact]
    public async Task A_client_that_goes_away_ends_nobody_elses_asking()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output);
        proxy.Log("alice").Delay = proxy.Log("bob").Delay = TimeSpan.FromMilliseconds(300);
        using var impatient = new CancellationTokenSource(50);

        var first = proxy.Client.GetAsync(new Uri(proxy.Url, $"{output.Path.Digest}.narinfo"), impatient.Token);
        await Task.Delay(20);
        var second = proxy.AskAsync(output.Path);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.Equal("agreed", (await second).Decision);
    }

    [Fact]
    public async Task A_refusal_with_a_silent_elector_is_asked_about_again_soon()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(0.6) };
        await proxy.Publish(output, "alice", "bob").StartAsync();
        proxy.Log("bob").Lie = LogLie.Reset;
        Assert.Equal("undecided", (await proxy.AskAsync(output.Path)).Decision);

        proxy.Log("bob").Lie = LogLie.None;
        await Task.Delay(2100); // the breaker's time

        Assert.Equal("agreed", (await proxy.AskAsync(output.Path)).Decision);
    }

    [Fact]
    public async Task A_changed_policy_or_key_makes_a_cold_cache()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output);
        await proxy.NarInfoAsync(output);

        proxy.Quorum = 3;
        await proxy.RestartAsync();

        Assert.Equal("undecided", (await proxy.AskAsync(output.Path)).Decision);
    }

    [Fact]
    public async Task A_stored_decision_that_was_touched_or_moved_is_not_used()
    {
        var (one, two) = (TestOutput.Make("one"), TestOutput.Make("two"));
        await using var proxy = await StartAsync(one);
        proxy.Upstream().Add(two);
        await proxy.NarInfoAsync(one);
        foreach (var log in new[] { "alice", "bob", "carol" })
        {
            await proxy.Log(log).StopAsync();
        }

        await proxy.RestartAsync(); // what it had to write is written
        await using (var state = new SqliteConnection($"Data Source={proxy.StateDirectory}/state.sqlite;Pooling=False"))
        {
            state.Open();
            using var command = state.CreateCommand();
            command.CommandText = $"INSERT INTO decision SELECT '{two.Path.Digest}', record, expires_at FROM decision; UPDATE decision SET "
                + $"record = replace(record, x'7b', x'7c') WHERE digest = '{one.Path.Digest}'";
            command.ExecuteNonQuery();
        }

        await proxy.RestartAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(one.Path)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(two.Path)).Status);
    }

    [Fact]
    public async Task A_dissent_that_comes_after_the_answer_is_told_and_under_veto_voids_the_decision()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Dissent = Dissent.Veto;
        proxy.Log("carol").Publish(output.Forge().Statement);
        await proxy.Publish(output, "alice", "bob").StartAsync();
        proxy.Log("carol").Lie = LogLie.Hang;

        var first = await proxy.AskAsync(output.Path);
        proxy.Log("carol").Lie = LogLie.None;
        var later = first;
        for (var i = 0; i < 40 && later.Decision is "agreed"; i++)
        {
            await Task.Delay(100);
            later = await proxy.AskAsync(output.Path);
        }

        Assert.Equal(("agreed", "conflict"), (first.Decision, later.Decision));
    }

    [Fact]
    public async Task A_dissent_that_is_outvoted_later_is_told_and_the_decision_stands()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Log("carol").Publish(output.Forge().Statement);
        await proxy.Publish(output, "alice", "bob").StartAsync();
        await Task.Delay(200);
        proxy.Log("carol").Delay = TimeSpan.FromMilliseconds(300);

        Assert.Equal("agreed", (await proxy.AskAsync(output.Path)).Decision);
        await Task.Delay(1500);

        Assert.Contains(proxy.Lines, line => line.StartsWith("Warning 3003", StringComparison.Ordinal)
            && line.Contains("carol dissents", StringComparison.Ordinal));
        Assert.Equal("agreed", (await proxy.AskAsync(output.Path)).Decision);
    }

    private static async Task<TestProxy> StartAsync(TestOutput output)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        return await proxy.Publish(output, "alice", "bob").StartAsync();
    }
}
