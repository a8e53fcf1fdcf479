using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Revocations;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Revocations;

/// <summary>What a thief of a log's key can still do after the log was revoked from a size on: nothing, whatever history it
/// shows.</summary>
public sealed class RevokedHeadTests
{
    [Theory]
    [InlineData(true, "silent(head-inconsistent)")]
    [InlineData(false, "silent(")] // it has no such size to prove anything for
    public async Task A_rewritten_history_with_the_key_at_leaf_0_is_not_heard_by_a_replica_without_a_view(bool isLonger, string expected)
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        var alice = proxy.Log("alice");
        alice.Publish(TestOutput.Make("old-1").Statement);
        alice.Publish(TestOutput.Make("old-2").Statement);
        Revoke(proxy, since: 2, alice.Log);
        alice.Show(new MemoryLog(alice.Log.Signer)); // the thief begins anew
        proxy.Publish(output, "alice", "bob");
        for (var i = 0; isLonger && i < 3; i++)
        {
            alice.Publish(TestOutput.Make($"more-{i}").Statement);
        }

        await proxy.StartAsync();
        var answer = await proxy.AskAsync(output.Path);

        Assert.Equal("undecided", answer.Decision);
        Assert.Contains($"alice={expected}", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_log_held_before_is_heard_by_a_replica_without_a_view_and_what_came_since_is_not()
    {
        var (old, late) = (TestOutput.Make("old"), TestOutput.Make("late"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(old, "alice", "bob");
        Revoke(proxy, since: 1, proxy.Log("alice").Log);
        await proxy.Publish(late, "alice", "bob").StartAsync();

        await proxy.NarInfoAsync(old);
        await proxy.NarInfoAsync(old); // kept: its vote stands under a head that was proven consistent

        Assert.Contains("alice=silent(revoked)", (await proxy.AskAsync(late.Path)).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_vote_without_an_inclusion_proof_never_counts_for_a_revoked_log(bool hasHead)
    {
        var output = TestOutput.Make();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.ChangeElector = elector => elector with { RequiresInclusionProof = false };
        var alice = proxy.Log("alice");
        alice.HasNoInclusionProofs = true;
        alice.Publish(TestOutput.Make("old").Statement);
        Revoke(proxy, since: 1, hasHead ? alice.Log : null);
        alice.Log.Add(output.Statement.Key, output.Statement.Value, index: 0); // the map says that it is the old leaf
        await proxy.Publish(output, "bob").StartAsync();

        var answer = await proxy.AskAsync(output.Path);

        Assert.Equal("undecided", answer.Decision);
        Assert.Contains("alice=silent(revoked)", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revocation_without_a_head_as_the_version_before_wrote_it_stays_in_force()
    {
        var (old, late) = (TestOutput.Make("old"), TestOutput.Make("late"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(old, "alice", "bob");
        Revoke(proxy, since: 1, null);
        await proxy.Publish(late, "alice", "bob").StartAsync();

        await proxy.NarInfoAsync(old);
        Assert.Contains("alice=silent(revoked)", (await proxy.AskAsync(late.Path)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_revocation_with_its_head_comes_back_and_beats_the_same_without_it()
    {
        var (log, seal) = (new MemoryLog(), new RecordSeal(Nix.NixSecretKey.Generate("k-1"), []));
        var without = Of(log, 0, null);
        var with = without with { Head = new RevokedHead(3, TransparencyLog.Digest.Of([1])) };

        Assert.Equal(with, Revocation.Open(seal, with.Subject.ToString(), with.Seal(seal)));
        Assert.True(with.Beats(without));
        Assert.False(without.Beats(with));
        Assert.False(with.Beats(with));
        Assert.False((with with { IsUndone = true }).Beats(without));
    }

    private static Revocation Of(MemoryLog log, long since, MemoryLog? seen) =>
        new(1, new RevokedSubject.Log(log.Signer.Key.LogId, since), IsUndone: false, "the key was stolen", DateTimeOffset.UnixEpoch)
        {
            Head = seen is null ? null : new RevokedHead(seen.Head.Content.TreeSize, seen.Head.Content.LogRoot),
        };

    /// <summary>Puts a revocation of alice into the state that the proxy starts over, as another replica's word.</summary>
    private static void Revoke(TestProxy proxy, long since, MemoryLog? seen)
    {
        using var store = new RevocationStore(proxy.StateDirectory, new RecordSeal(proxy.Key, []));
        store.Keep(Of(proxy.Log("alice").Log, since, seen));
    }
}
