using System.Diagnostics;
using System.Net;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>A log that lies in every way there is: never a wrong narinfo, never a crash, never later than the deadline, and each lie is
/// refused for its own reason.</summary>
public sealed class LyingLogTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    public static TheoryData<LogLie, string> Lies() => new()
    {
        { LogLie.ForgedSignature, "head-signature" },
        { LogLie.Rollback, "head-older" },
        { LogLie.SplitView, "frozen" },
        { LogLie.EmptyConsistencyProof, "head-inconsistent" },
        { LogLie.EmptyMapHeadProof, "head-inconsistent" },
        { LogLie.MapRootOfOlderHead, "map-root-proof" },
        { LogLie.SurplusMapRootNode, "map-root-proof" },
        // a root that stays the newest and is said to be lost is how the reference answers for an absent key
        { LogLie.StaleRoot, "not-found" },
        { LogLie.WrongValue, "value-digest" },
        { LogLie.NoValue, "value-missing" },
        { LogLie.ValueOfOtherPath, "claim-of-other-path" },
        { LogLie.ValueOfNothing, "claim-malformed" },
        { LogLie.EntryOfOtherLeaf, "frozen" },
        { LogLie.SurplusProofNode, "inclusion-proof" },
        { LogLie.PaddingBits, "map-proof" },
        { LogLie.Huge, "too-large" },
        { LogLie.Drip, "no-answer" },
        { LogLie.Hang, "no-answer" },
        { LogLie.Reset, "unreachable" },
        { LogLie.Html, "bad-answer" },
        { LogLie.Truncated, "bad-answer" },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task A_lie_is_no_vote_and_is_named(LogLie lie, string reason)
    {
        var (first, second) = (TestOutput.Make("first"), TestOutput.Make("second"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { Deadline = Deadline };
        await proxy.Publish(first, "alice", "carol").StartAsync();
        await proxy.NarInfoAsync(first);
        await Task.Delay(1100);

        // Alice tells the truth, bob has nothing, and carol's lie would make the quorum.
        proxy.Log("carol").Lie = lie;
        proxy.Publish(second, "alice", "carol");
        // so that no value follows from it
        proxy.Upstream().Add(second, change: text => text.Replace("NarSize: ", "NarSize: 1", StringComparison.Ordinal));
        var timer = Stopwatch.StartNew();
        var answer = await proxy.AskAsync(second.Path);

        Assert.True(timer.Elapsed < Deadline + TimeSpan.FromSeconds(0.5), $"{timer.Elapsed}");
        Assert.Equal((HttpStatusCode.NotFound, "undecided"), (answer.Status, answer.Decision));
        Assert.Contains($"carol=silent({reason})", answer.Text, StringComparison.Ordinal);
        Assert.Equal(reason is "frozen" ? "undecided" : "agreed", (await proxy.AskAsync(first.Path)).Decision);
    }

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task A_lie_delays_nobody_and_stops_nothing_where_a_quorum_tells_the_truth(LogLie lie, string reason)
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.StartAsync();
        await Task.Delay(1100);
        proxy.Log("carol").Lie = lie;
        proxy.Publish(output, "alice", "bob", "carol");

        var timer = Stopwatch.StartNew();
        await proxy.NarInfoAsync(output);

        Assert.True(timer.Elapsed < TimeSpan.FromSeconds(1), $"{reason}: {timer.Elapsed}");
    }

    [Fact]
    public async Task A_value_that_an_upstreams_narinfo_spells_out_need_not_be_asked_for()
    {
        var output = TestOutput.Make(references: TestOutput.PathOf("other-1.0"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Log("alice").Lie = LogLie.NoValue;
        await proxy.Publish(output, "alice", "bob").StartAsync();

        await proxy.NarInfoAsync(output);

        Assert.DoesNotContain("GetValue", proxy.Log("alice").Calls.Concat(proxy.Log("bob").Calls));
    }

    [Fact]
    public async Task An_upstreams_narinfo_that_is_made_to_fit_another_digest_makes_no_vote_of_it()
    {
        var honest = TestOutput.Make();
        var evil = TestOutput.At(honest.Path, "evil"u8.ToArray());
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(honest, "alice", "bob").Publish(evil, "carol").StartAsync();

        // The upstream says what carol holds: her digest is proven, and hers is one vote; alice and bob are asked for their values.
        var answer = await proxy.AskAsync(honest.Path);

        Assert.Equal((HttpStatusCode.NotFound, "no-upstream"), (answer.Status, answer.Decision));
        Assert.Contains("GetValue", proxy.Log("alice").Calls);
        Assert.DoesNotContain("GetValue", proxy.Log("carol").Calls);
    }

    [Fact]
    public async Task A_forked_history_is_not_followed_and_freezes_the_log_for_good()
    {
        var outputs = Enumerable.Range(0, 4).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(outputs[0], "alice", "bob", "carol").Publish(outputs[1], "alice", "carol")
            .Publish(outputs[2], "alice", "bob", "carol");
        await proxy.StartAsync();
        await proxy.NarInfoAsync(outputs[0]);
        await Task.Delay(1100);

        // Carol goes back to her first entry, and continues another way.
        proxy.Log("carol").ForkNow(keep: 1);
        proxy.Publish(TestOutput.Make("other"), "carol").Publish(outputs[3], "alice", "carol").Publish(TestOutput.Make("more"), "carol");
        var answer = await proxy.AskAsync(outputs[3].Path);

        Assert.Contains("carol=silent(frozen)", answer.Text, StringComparison.Ordinal);
        Assert.True(SpinWait.SpinUntil(
            () => proxy.Lines.Any(line => line.StartsWith("Critical 3002", StringComparison.Ordinal)), TimeSpan.FromSeconds(5)));
        await proxy.RestartAsync();
        Assert.Contains("carol=silent(frozen)", (await proxy.AskAsync(outputs[1].Path)).Text, StringComparison.Ordinal);
        Assert.Equal("agreed", (await proxy.AskAsync(outputs[0].Path)).Decision);
    }

    [Fact]
    public async Task A_decision_that_rests_on_a_frozen_log_no_longer_stands()
    {
        var (needed, spare, trigger) = (TestOutput.Make("needed"), TestOutput.Make("spare"), TestOutput.Make("trigger"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(needed, "alice", "carol").Publish(spare, "alice", "bob", "carol").StartAsync();
        var narInfo = await proxy.NarInfoAsync(needed);
        await proxy.NarInfoAsync(spare);
        await Task.Delay(1100);

        proxy.Log("carol").Lie = LogLie.SplitView;
        proxy.Publish(trigger, "carol", "alice");
        await proxy.AskAsync(trigger.Path);

        Assert.Equal("undecided", (await proxy.AskAsync(needed.Path)).Decision);
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(narInfo.Url)).Status);
        Assert.Equal("agreed", (await proxy.AskAsync(spare.Path)).Decision);
    }

    [Fact]
    public async Task A_replayed_old_head_freezes_nobody_and_the_view_stays()
    {
        var (first, second) = (TestOutput.Make("first"), TestOutput.Make("second"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(first, "alice", "bob", "carol").StartAsync();
        await proxy.NarInfoAsync(first);
        await Task.Delay(1100);
        proxy.Log("carol").Lie = LogLie.Rollback;
        proxy.Publish(second, "alice", "carol");
        await proxy.AskAsync(second.Path);

        proxy.Log("carol").Lie = LogLie.None;

        // the refusal lives for two seconds
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(second.Path)).Decision is "agreed");
    }

    [Fact]
    public async Task A_view_outlives_a_restart_so_an_older_head_is_still_older()
    {
        var (first, second) = (TestOutput.Make("first"), TestOutput.Make("second"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(first, "alice", "carol").Publish(second, "alice", "carol").StartAsync();
        await proxy.NarInfoAsync(first);

        proxy.Log("carol").Lie = LogLie.Rollback;
        await proxy.RestartAsync();
        await Task.Delay(1100);
        var third = TestOutput.Make("third");
        proxy.Publish(third, "alice");

        Assert.Contains("carol=silent(head-older)", (await proxy.AskAsync(third.Path)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_absence_that_is_said_and_not_proven_is_silence()
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Log("carol").SaysAbsenceLikeTheReference = true;
        await proxy.Publish(TestOutput.Make("some"), "alice", "bob", "carol").Publish(output, "alice").StartAsync();

        Assert.Contains("bob=absent, carol=silent(not-found)", (await proxy.AskAsync(output.Path)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_without_inclusion_proofs_votes_untied_where_that_is_allowed_and_its_other_calls_go_on()
    {
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Log("bob").HasNoInclusionProofs = proxy.Log("carol").HasNoInclusionProofs = true;
        proxy.ChangeElector = elector => elector with { RequiresInclusionProof = elector.Name is not "carol" };
        var outputs = Enumerable.Range(0, 12).Select(i => TestOutput.Make($"path-{i}")).ToList();
        var required = TestOutput.Make("required");
        outputs.ForEach(output => proxy.Publish(output, "alice", "carol"));
        await proxy.Publish(required, "bob", "carol").StartAsync();

        foreach (var output in outputs)
        {
            await proxy.NarInfoAsync(output);
        }

        var answer = await proxy.AskAsync(required.Path);
        Assert.Contains($"carol={required.Statement.NarHash}(untied)", answer.Text, StringComparison.Ordinal);
        Assert.Contains("bob=silent(", answer.Text, StringComparison.Ordinal);
    }
}
