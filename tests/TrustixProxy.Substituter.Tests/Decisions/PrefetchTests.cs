using TrustixProxy.Nix;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Decisions;

/// <summary>What a served path refers to is decided before it is asked for; a request finds what was decided, and nothing is asked for more
/// often than by requests alone.</summary>
public sealed class PrefetchTests
{
    [Fact]
    public async Task What_a_served_path_refers_to_is_decided_ahead_near_and_far()
    {
        var chain = Chain(5);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await PublishAsync(proxy, chain);

        await proxy.NarInfoAsync(chain[0]);
        await UntilAsync(() => chain.All(output => Asked(proxy, output) is 1));
        foreach (var output in chain)
        {
            await proxy.NarInfoAsync(output);
        }

        Assert.All(chain, output => Assert.Equal(1, Asked(proxy, output)));
        Assert.InRange(proxy.Log("bob").Calls.Count(call => call is "GetMapValue"), 0, chain.Count); // the other two may have been faster
    }

    [Fact]
    public async Task What_nobody_has_is_asked_for_ahead_once_however_many_refer_to_it()
    {
        var nowhere = TestOutput.PathOf("nowhere-1.0");
        var outputs = Enumerable.Range(0, 5).Select(i => TestOutput.Make($"user-{i}", references: nowhere)).ToList();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await PublishAsync(proxy, outputs);

        foreach (var output in outputs)
        {
            await proxy.NarInfoAsync(output);
        }

        await UntilAsync(() => Asked(proxy, nowhere) > 0);
        Assert.Equal(1, Asked(proxy, nowhere));
    }

    [Fact]
    public async Task What_was_decided_ahead_is_decided_by_the_same_policy()
    {
        var refused = TestOutput.Make("refused-1.0");
        var user = TestOutput.Make("user-1.0", references: refused.Path);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(user, "alice", "bob", "carol").Publish(refused, "carol").StartAsync();

        await proxy.NarInfoAsync(user);
        await UntilAsync(() => Asked(proxy, refused) > 0);

        Assert.Equal("undecided", (await proxy.AskAsync(refused.Path)).Decision);
    }

    [Fact]
    public async Task A_log_that_answers_a_request_otherwise_than_the_asking_ahead_is_frozen()
    {
        var reference = TestOutput.Make("reference-1.0");
        var user = TestOutput.Make("user-1.0", references: reference.Path);
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await PublishAsync(proxy, [user, reference]);
        await proxy.NarInfoAsync(user);
        await proxy.NarInfoAsync(reference);
        await UntilAsync(() => proxy.Log("carol").Calls.Count(call => call is "GetMapValue") >= 2);
        await proxy.StopAsync();
        using (var state = new Microsoft.Data.Sqlite.SqliteConnection(
            $"Data Source={Path.Combine(proxy.StateDirectory, "state.sqlite")};Pooling=False"))
        {
            state.Open();
            using var forget = state.CreateCommand();
            forget.CommandText = "DELETE FROM decision";
            forget.ExecuteNonQuery();
        }

        // Carol shows a history in which the same key holds something else.
        var past = proxy.Log("carol").Log;
        proxy.Log("carol").Show(new MemoryLog(past.Signer));
        proxy.Publish(user, "carol");
        proxy.Log("carol").Publish(reference.Forge().Statement);
        await proxy.StartAsync();

        await proxy.NarInfoAsync(reference);
        await UntilAsync(() => proxy.Lines.Any(line => line.StartsWith("Critical 3002", StringComparison.Ordinal)));
    }

    private static List<TestOutput> Chain(int length)
    {
        var chain = new List<TestOutput>();
        for (var i = 0; i < length; i++)
        {
            chain.Insert(0, TestOutput.Make($"link-{i}", references: [.. chain.Take(1).Select(output => output.Path)]));
        }

        return chain;
    }

    private static Task<TestProxy> PublishAsync(TestProxy proxy, IEnumerable<TestOutput> outputs)
    {
        foreach (var output in outputs)
        {
            proxy.Publish(output, "alice", "bob", "carol");
        }

        return proxy.StartAsync();
    }

    private static int Asked(TestProxy proxy, TestOutput output) => Asked(proxy, output.Path);

    private static int Asked(TestProxy proxy, StorePath path) =>
        proxy.Upstream().Requests.Count(request => request == $"GET /{path.Digest}.narinfo");
}
