using System.Diagnostics;
using System.Net;
using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>A log whose configuration demands witnesses votes under witnessed heads only.</summary>
public sealed class WitnessedLogTests
{
    private const string Origin = "log.alice.example/nix";

    private static readonly TestWitness[] Three = [.. Enumerable.Range(1, 3).Select(i => new TestWitness($"w{i}", (byte)i))];

    /// <summary>What is wrong with the checkpoints of a log.</summary>
    public enum Flaw
    {
        None,
        NoCheckpoint,
        OneCosignatureMissing,
        MapHeadsNotCosigned,
        Stale,
        Forged,
        OtherRoot,
        OtherMapHeadRoot,
        OtherLogKey,
        OtherOrigin,
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_log_with_a_quorum_of_cosignatures_votes_and_grows(bool hasLookup)
    {
        await using var proxy = await WithWitnessesAsync(Flaw.None, hasLookup);
        var (first, second) = (TestOutput.Make("first-1"), TestOutput.Make("second-1"));
        await proxy.Publish(first, "alice", "bob").StartAsync();

        await proxy.NarInfoAsync(first);
        proxy.Publish(second, "alice", "bob");
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(second.Path)).Status is HttpStatusCode.OK);

        Assert.DoesNotContain(proxy.Lines, line => line.Contains("unwitnessed", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(Flaw.NoCheckpoint)]
    [InlineData(Flaw.OneCosignatureMissing)]
    [InlineData(Flaw.MapHeadsNotCosigned)]
    [InlineData(Flaw.Stale)]
    [InlineData(Flaw.Forged)]
    [InlineData(Flaw.OtherRoot)]
    [InlineData(Flaw.OtherMapHeadRoot)]
    [InlineData(Flaw.OtherLogKey)]
    [InlineData(Flaw.OtherOrigin)]
    public async Task A_log_with_a_flawed_checkpoint_is_heard_at_once_and_does_not_vote(Flaw flaw)
    {
        foreach (var hasLookup in new[] { false, true })
        {
            await using var proxy = await WithWitnessesAsync(flaw, hasLookup);
            proxy.Change = options => options with { Deadline = TimeSpan.FromSeconds(30) };
            var output = TestOutput.Make();
            await proxy.Publish(output, "alice", "bob").StartAsync();

            var watch = Stopwatch.StartNew();
            var answer = await proxy.AskAsync(output.Path);

            Assert.Equal(HttpStatusCode.NotFound, answer.Status);
            Assert.Contains("alice=unwitnessed", answer.Text, StringComparison.Ordinal);
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(15), $"it waited {watch.Elapsed} for a log that had answered");
            Assert.DoesNotContain(proxy.Lines, line => line.Contains("frozen", StringComparison.Ordinal));
            // the answer does not wait for the message
            await Eventually.UntilAsync(
                () => proxy.Lines.Any(line => line.Contains("alice: its head of size 1 is unwitnessed", StringComparison.Ordinal)));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_log_votes_again_once_witnesses_have_cosigned_its_unmoved_head(bool hasLookup)
    {
        await using var proxy = await WithWitnessesAsync(Flaw.OneCosignatureMissing, hasLookup);
        var output = TestOutput.Make();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        Assert.Contains("alice=unwitnessed", (await proxy.AskAsync(output.Path)).Text, StringComparison.Ordinal);

        Serve(proxy.Log("alice"), Flaw.None);

        await Eventually.UntilAsync(async () => (await proxy.AskAsync(output.Path)).Status is HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_proxy_that_starts_again_asks_for_the_checkpoints_of_the_head_that_it_keeps()
    {
        await using var proxy = await WithWitnessesAsync(Flaw.None, hasLookup: true);
        var outputs = new[] { TestOutput.Make("first-1"), TestOutput.Make("second-1") };
        outputs.ToList().ForEach(output => proxy.Publish(output, "alice", "bob"));
        await proxy.StartAsync();
        await proxy.NarInfoAsync(outputs[0]);

        await proxy.RestartAsync();

        await proxy.NarInfoAsync(outputs[1]);
    }

    [Fact]
    public async Task An_absence_under_an_unwitnessed_head_is_not_proven()
    {
        await using var proxy = await WithWitnessesAsync(Flaw.OneCosignatureMissing, hasLookup: true);
        var asked = TestOutput.Make("asked-1");
        await proxy.Publish(TestOutput.Make("there-1"), "alice").Publish(asked, "bob").StartAsync();

        var answer = await proxy.AskAsync(asked.Path);

        Assert.Contains("alice=unwitnessed", answer.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lasting_quorum_is_not_asked_for_again_with_every_path()
    {
        await using var proxy = await WithWitnessesAsync(Flaw.None, hasLookup: false);
        var outputs = Enumerable.Range(0, 5).Select(i => TestOutput.Make($"path-{i}")).ToList();
        outputs.ForEach(output => proxy.Publish(output, "alice", "bob"));
        var asked = 0;
        var give = proxy.Log("alice").CheckpointOf!;
        proxy.Log("alice").CheckpointOf = (head, isMapHeads) =>
        {
            Interlocked.Increment(ref asked);
            return give(head, isMapHeads);
        };
        await proxy.StartAsync();

        foreach (var output in outputs)
        {
            await proxy.NarInfoAsync(output);
        }

        Assert.Equal(2, asked);
    }

    [Theory]
    [InlineData(Flaw.None, HttpStatusCode.OK)]
    [InlineData(Flaw.OneCosignatureMissing, HttpStatusCode.NotFound)]
    public async Task A_mirrored_log_votes_under_witnessed_heads_only(Flaw flaw, HttpStatusCode status)
    {
        await using var proxy = await WithWitnessesAsync(flaw, hasLookup: false);
        proxy.Change = options => options with
        {
            Logs = [.. options.Logs.Select(log => log with { IsMirrored = log.Elector.Name is "alice" })],
        };
        var output = TestOutput.Make();
        await proxy.Publish(output, "alice", "bob").StartAsync();

        await Eventually.UntilAsync(async () => (await proxy.AskAsync(output.Path)) is var answer && answer.Status == status
            && !answer.Text.Contains("mirror-incomplete", StringComparison.Ordinal));

        var last = await proxy.AskAsync(output.Path);
        Assert.Equal(flaw is not Flaw.None, last.Text.Contains("alice=unwitnessed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_reload_with_a_stricter_policy_decides_again()
    {
        await using var proxy = await WithWitnessesAsync(Flaw.None, hasLookup: true);
        var output = TestOutput.Make();
        await proxy.Publish(output, "alice", "bob").StartAsync();
        await proxy.NarInfoAsync(output);
        var all = string.Concat(Three.Select(witness => witness.Line)) + "group q all w1 w2 w3\nquorum q\n";
        Elector.Log Strict(Elector.Log log) => log.Name is "alice" ? log with { Witnesses = Demand(log.Key, all) } : log;

        var refused = await proxy.ReloadAsync(options => options with
        {
            Logs = [.. options.Logs.Select(log => log with { Elector = Strict(log.Elector) })],
            Policy = new Policy([.. options.Policy.Electors.Select(elector => elector is Elector.Log log ? Strict(log) : elector)]),
        });

        Assert.Empty(refused);
        Assert.Contains("alice=unwitnessed", (await proxy.AskAsync(output.Path)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Origin_policy_and_age_are_part_of_the_policys_identity_and_comments_are_not()
    {
        var key = new LogSigner(new byte[32]).Key;
        var lines = string.Concat(Three.Select(witness => witness.Line));
        var plain = new Elector.Log("alice", "alice", key);
        var demand = Demand(key, $"{lines}group q 2 w1 w2 w3\nquorum q\n");
        Digest IdentityOf(WitnessDemand? witnesses) => new Policy([plain with { Witnesses = witnesses }]).Identity;

        Digest[] others =
        [
            IdentityOf(null), IdentityOf(demand with { Origin = "log.alice.example/other" }),
            IdentityOf(demand with { Within = TimeSpan.FromHours(1) }),
            IdentityOf(Demand(key, $"{lines}group q 3 w1 w2 w3\nquorum q\n")),
        ];
        var commented = Demand(key, $"# ours\n\n{lines}group  q  2 w1 w2 w3\nquorum q\n");

        Assert.Equal(IdentityOf(demand), IdentityOf(commented));
        Assert.Equal(demand, commented);
        Assert.Equal(others.Length + 1, others.Append(IdentityOf(demand)).Distinct().Count());
    }

    private static async Task<TestProxy> WithWitnessesAsync(Flaw flaw, bool hasLookup)
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Log("alice").HasLookup = hasLookup;
        Serve(proxy.Log("alice"), flaw);
        var policy = string.Concat(Three.Select(witness => witness.Line)) + "group q 2 w1 w2 w3\nquorum q\n";
        proxy.ChangeElector = elector => elector.Name is "alice" ? elector with { Witnesses = Demand(elector.Key, policy) } : elector;
        return proxy;
    }

    private static WitnessDemand Demand(LogKey key, string text)
    {
        Assert.True(WitnessPolicy.TryParse(Encoding.UTF8.GetBytes(text), mustDemand: true, out var policy, out var fault), $"{fault}");
        return new WitnessDemand(Origin, key, policy, TimeSpan.FromDays(1));
    }

    /// <summary>Has a log give checkpoints from now on.</summary>
    private static void Serve(FakeLog log, Flaw flaw) => log.CheckpointOf = flaw is Flaw.NoCheckpoint ? null
        : (head, isMapHeads) => CheckpointOf(log.Log.Signer, head, isMapHeads, flaw);

    private static byte[] CheckpointOf(LogSigner log, TreeHead head, bool isMapHeads, Flaw flaw)
    {
        var at = flaw is Flaw.Stale ? DateTimeOffset.UtcNow.AddDays(-2) : DateTimeOffset.UtcNow.AddMinutes(-1);
        var signer = flaw is Flaw.OtherLogKey ? new LogSigner(new byte[32]) : log;
        var origin = (flaw is Flaw.OtherOrigin ? "log.bob.example/nix" : Origin) + (isMapHeads ? Checkpoint.MapHeads : "");
        var root = flaw is Flaw.OtherRoot && !isMapHeads ? Digest.Of("other"u8)
            : flaw is Flaw.OtherMapHeadRoot && isMapHeads ? Digest.Of("other"u8)
            : isMapHeads ? head.MapHeadRoot : head.LogRoot;
        var note = new CheckpointSigner(origin, signer).Sign(isMapHeads ? head.MapHeadSize : head.TreeSize, root);
        var isMissing = flaw is Flaw.OneCosignatureMissing || (flaw is Flaw.MapHeadsNotCosigned && isMapHeads);
        var second = Three[1].Cosign(note, at);
        if (flaw is Flaw.Forged)
        {
            var bytes = second.Bytes.ToArray();
            bytes[^1] ^= 1;
            second = second with { Bytes = bytes };
        }

        return (isMissing ? note.With(Three[0].Cosign(note, at)) : note.With(Three[0].Cosign(note, at), second)).ToBytes();
    }
}
