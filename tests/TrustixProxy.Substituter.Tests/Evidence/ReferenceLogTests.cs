using TrustixProxy.Logs.Watching;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>What logs of the reference answer costs at most two calls for a question, never the deadline, and is named with its
/// remedy.</summary>
public sealed class ReferenceLogTests
{
    /// <summary>No answer may take this long. It is far more than a slow machine needs, and far less than the deadline.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60), Soon = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task An_absent_key_whose_hash_the_text_names_is_an_absence_heard_at_once()
    {
        var (some, absent) = (TestOutput.Make("some"), TestOutput.Make("absent"));
        await using var proxy = await StartAsync(log => log.NamesMissingObjects = log.ForgetsOldRoots = true, some, absent);
        var before = Count(proxy, "carol", "GetMapValue");

        var answer = await proxy.AskAsync(absent.Path).WaitAsync(Soon);

        Assert.Contains("carol=silent(not-found)", answer.Text, StringComparison.Ordinal);
        Assert.InRange(Count(proxy, "carol", "GetMapValue") - before, 1, 2);
    }

    [Fact]
    public async Task A_root_that_is_said_to_be_lost_and_is_still_the_newest_is_an_absence()
    {
        var (some, absent) = (TestOutput.Make("some"), TestOutput.Make("absent"));
        await using var proxy = await StartAsync(log => log.Lie = LogLie.StaleRoot, some, absent);
        await Task.Delay(1100); // a head may be believed for a second

        var answer = await proxy.AskAsync(absent.Path).WaitAsync(Soon);

        Assert.Contains("carol=silent(not-found)", answer.Text, StringComparison.Ordinal);
        Assert.InRange(Count(proxy, "carol", "GetMapValue"), 1, 2);
    }

    [Fact]
    public async Task A_log_without_inclusion_proofs_is_tried_once_and_its_remedy_is_named_everywhere()
    {
        var outputs = Enumerable.Range(0, 5).Select(i => TestOutput.Make($"path-{i}")).ToArray();
        await using var proxy = await StartAsync(log => log.HasNoInclusionProofs = true, outputs);
        outputs.ToList().ForEach(output => proxy.Publish(output, "carol"));
        await Task.Delay(1100); // a head may be believed for a second

        foreach (var output in outputs)
        {
            var answer = await proxy.AskAsync(output.Path).WaitAsync(Soon);
            Assert.Contains(
                "carol=silent(gives no inclusion proofs: set inclusionProof to optional)", answer.Text, StringComparison.Ordinal);
        }

        // the first is that the head's map root is the last leaf of its map-head log; the reference fails it, too
        Assert.Equal(["GetMHLogAuditProof"], proxy.Log("carol").Calls.Where(
            call => call.EndsWith("AuditProof", StringComparison.Ordinal)));
        await UntilAsync(async () => (await proxy.Client.GetStringAsync(new Uri(proxy.OperationsUrl, "/readyz")))
            .Contains("gives no inclusion proofs: set inclusionProof to optional", StringComparison.Ordinal));
        await proxy.StopAsync();
        using var register = new LogRegister(proxy.Options!.Logs, proxy.StateDirectory);
        Assert.EndsWith("gives no inclusion proofs: set inclusionProof to optional",
            register.List().Single(log => log.Name == "carol").State, StringComparison.Ordinal);
        Assert.Equal("live", register.List().Single(log => log.Name == "alice").State);
    }

    [Fact]
    public async Task A_log_that_gave_an_inclusion_proof_before_and_breaks_off_is_asked_again()
    {
        var (first, second) = (TestOutput.Make("first"), TestOutput.Make("second"));
        await using var proxy = await StartAsync(_ => { }, first, second);
        proxy.Publish(first, "alice", "carol").Publish(second, "alice", "carol");
        await Task.Delay(1100); // a head may be believed for a second
        await proxy.NarInfoAsync(first);
        proxy.Log("carol").HasNoInclusionProofs = true;

        var asking = proxy.AskAsync(second.Path);
        await UntilAsync(() => Count(proxy, "carol", "GetLogAuditProof") > 2);
        proxy.Log("carol").HasNoInclusionProofs = false;

        Assert.Equal("agreed", (await asking.WaitAsync(Soon)).Decision);
    }

    [Fact]
    public async Task A_log_that_has_grown_from_one_entry_is_asked_again_under_its_new_head()
    {
        var second = TestOutput.Make("second");
        await using var proxy = await StartAsync(log => log.ProvesNewValuesUnderTheFirstRoot = true, second);
        await UntilAsync(() => proxy.Log("carol").Calls.Contains("GetHead"));
        await Task.Delay(1100); // a head may be believed for a second
        proxy.Publish(second, "alice", "carol");
        var before = Count(proxy, "carol", "GetMapValue");

        var answer = await proxy.AskAsync(second.Path).WaitAsync(Soon);

        Assert.Equal("agreed", answer.Decision);
        Assert.Equal(2, Count(proxy, "carol", "GetMapValue") - before);
    }

    [Fact]
    public async Task A_young_head_whose_root_is_lost_is_replaced_at_once()
    {
        var outputs = Enumerable.Range(0, 6).Select(i => TestOutput.Make($"path-{i}")).ToArray();
        await using var proxy = await StartAsync(log => log.NamesMissingObjects = log.ForgetsOldRoots = true, outputs);
        proxy.Log("alice").ForgetsOldRoots = true;
        var calls = new List<int>();

        foreach (var output in outputs)
        {
            proxy.Publish(output, "alice", "carol");
            var before = Count(proxy, "carol", "GetMapValue");
            Assert.Equal("agreed", (await proxy.AskAsync(output.Path).WaitAsync(Soon)).Decision);
            calls.Add(Count(proxy, "carol", "GetMapValue") - before);
        }

        Assert.All(calls, count => Assert.InRange(count, 1, 2));
    }

    /// <summary>A proxy over three logs of which carol's is one of the reference; two of three must agree, and alice agrees with nobody
    /// else.</summary>
    private static async Task<TestProxy> StartAsync(Action<FakeLog> be, params TestOutput[] outputs)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { Deadline = Deadline };
        proxy.Publish(TestOutput.Make("filler"), "alice", "bob", "carol");
        foreach (var output in outputs)
        {
            proxy.Publish(output);
        }

        be(proxy.Log("carol"));
        return await proxy.StartAsync();
    }

    private static int Count(TestProxy proxy, string log, string method) => proxy.Log(log).Calls.Count(call => call == method);
}
