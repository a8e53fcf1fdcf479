using System.Net;
using System.Text;
using System.Text.Json;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>A log whose head too few witnesses have seen is named unwitnessed, with since when, who is missing and what helps; and what
/// rests on its votes ends when its cosignatures grow old.</summary>
public sealed class UnwitnessedStateTests
{
    private const string Origin = "log.alice.example/nix";

    private static readonly TestWitness[] Three = [.. Enumerable.Range(1, 3).Select(i => new TestWitness($"w{i}", (byte)i))];

    [Fact]
    public async Task Readiness_the_list_of_logs_and_the_dashboard_name_it_and_who_is_missing_and_forget_it_after()
    {
        await using var proxy = await StartAsync(TimeSpan.FromDays(1), cosigners: 1);

        var state = await StateAsync(proxy, "unwitnessed");

        Assert.StartsWith("unwitnessed since 20", state, StringComparison.Ordinal);
        Assert.Contains(
            "too few witnesses have cosigned it; seen by w1, missing w2, w3, needed 2 of 3. Ask", state, StringComparison.Ordinal);
        Assert.False((await LogAsync(proxy)).GetProperty("isHeard").GetBoolean());
        var page = await proxy.Client.GetStringAsync(proxy.OperationsUrl);
        Assert.Contains("unwitnessed</span>", page, StringComparison.Ordinal);
        Assert.Contains("missing w2, w3", page, StringComparison.Ordinal);
        Assert.DoesNotContain("silent", state + page, StringComparison.Ordinal);
        using var register = new LogRegister(proxy.Options!.Logs, proxy.StateDirectory);
        Assert.Equal(state, register.List()[0].State);

        Serve(proxy, cosigners: 2);
        await StateAsync(proxy, "live");
        await Eventually.UntilAsync(() => proxy.Lines.Any(line => line.Contains("its head is witnessed again", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Since_when_it_is_unwitnessed_outlasts_a_restart()
    {
        await using var proxy = await StartAsync(TimeSpan.FromDays(1), cosigners: 1);
        var before = (await StateAsync(proxy, "unwitnessed"))[..39];

        await proxy.RestartAsync();

        Assert.Equal(before, (await StateAsync(proxy, "unwitnessed"))[..39]);
    }

    [Theory]
    [InlineData("no checkpoint", "it gives no checkpoint; seen by none, missing w1, w2, w3, needed 2 of 3. Ask its operator")]
    [InlineData("old", "older than witnessedWithin 1.00:00:00; seen by w1, w2, missing w3, needed 2 of 3. Ask its operator")]
    [InlineData("other root", "its checkpoint is refused (its root is not that of the head). It may show this proxy a history")]
    [InlineData("other size", "its checkpoint is refused (its size is not that of the head). It may show this proxy a history")]
    [InlineData("other origin", "its checkpoint is refused (its origin is another). Compare 'origin'")]
    [InlineData("other key", "its checkpoint is refused (the log's key has not signed it). Compare 'origin' and 'publicKey'")]
    [InlineData("forged", "its checkpoint is refused (a cosignature is not by the witness that it names). Compare the keys")]
    [InlineData("no note", "its checkpoint is refused (it is no checkpoint). Tell its operator.")]
    public async Task It_says_what_is_wrong_and_what_helps(string flaw, string said)
    {
        await using var proxy = await StartAsync(TimeSpan.FromDays(1), cosigners: 2, flaw);
        var output = TestOutput.Make();
        proxy.Publish(output, "alice", "bob");

        await Eventually.UntilAsync(async () =>
        {
            await proxy.AskAsync(output.Path);
            return (await LogAsync(proxy)).GetProperty("state").GetString()!.Contains(said, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task An_agreement_that_was_kept_ends_with_its_cosignatures_and_is_made_anew_once_the_log_is_witnessed_again()
    {
        await using var proxy = await StartAsync(TimeSpan.FromSeconds(4), cosigners: 2);
        var output = TestOutput.Make();
        proxy.Publish(output, "alice", "bob");
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(output.Path)).Status is HttpStatusCode.OK);

        Serve(proxy, cosigners: 2, at: DateTimeOffset.UtcNow);
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(output.Path)).Status is HttpStatusCode.NotFound);
        Assert.Contains("alice=unwitnessed", (await proxy.AskAsync(output.Path)).Text, StringComparison.Ordinal);
        await proxy.RestartAsync();
        Assert.Equal(HttpStatusCode.NotFound, (await proxy.AskAsync(output.Path)).Status);

        Serve(proxy, cosigners: 2);
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(output.Path)).Status is HttpStatusCode.OK);
    }

    [Fact]
    public async Task An_agreement_that_was_kept_lasts_while_the_log_goes_on_being_cosigned()
    {
        var within = TimeSpan.FromSeconds(8);
        await using var proxy = await StartAsync(within, cosigners: 2);
        var output = TestOutput.Make();
        proxy.Publish(output, "alice", "bob");
        await Eventually.UntilAsync(async () => (await proxy.AskAsync(output.Path)).Status is HttpStatusCode.OK);
        await proxy.Log("bob").StopAsync(); // so that nobody can decide anew

        var end = DateTimeOffset.UtcNow + within + TimeSpan.FromSeconds(1);
        for (; DateTimeOffset.UtcNow < end; await Task.Delay(100))
        {
            Assert.Equal(HttpStatusCode.OK, (await proxy.AskAsync(output.Path)).Status);
        }
    }

    private static async Task<TestProxy> StartAsync(TimeSpan within, int cosigners, string flaw = "")
    {
        var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with { HeadPollInterval = TimeSpan.FromMilliseconds(200) };
        var lines = string.Concat(Three.Select(witness => witness.Line)) + "group q 2 w1 w2 w3\nquorum q\n";
        Assert.True(WitnessPolicy.TryParse(Encoding.UTF8.GetBytes(lines), mustDemand: true, out var policy, out _));
        proxy.ChangeElector = elector => elector.Name is "alice"
            ? elector with { Witnesses = new WitnessDemand(Origin, elector.Key, policy, within) } : elector;
        proxy.Publish(TestOutput.Make("first-1"), "alice");
        Serve(proxy, cosigners, flaw);
        return await proxy.StartAsync();
    }

    /// <summary>Has alice's log give checkpoints that some witnesses have cosigned: at a time, or whenever it is asked.</summary>
    private static void Serve(TestProxy proxy, int cosigners, string flaw = "", DateTimeOffset? at = null)
    {
        var signer = flaw is "other key" ? new LogSigner(new byte[32]) : proxy.Log("alice").Log.Signer;
        proxy.Log("alice").CheckpointOf = (head, isMapHeads) =>
        {
            var origin = (flaw is "other origin" ? "other.example/nix" : Origin) + (isMapHeads ? "/mapheads" : "");
            var (size, root) = isMapHeads ? (head.MapHeadSize, head.MapHeadRoot) : (head.TreeSize, head.LogRoot);
            var note = new CheckpointSigner(origin, signer).Sign(
                flaw is "other size" ? size + 1 : size, flaw is "other root" ? Digest.Of("other"u8) : root);
            var cosigned = note.With(Three.Take(cosigners).Select(
                witness => witness.Cosign(note, flaw is "old" ? DateTimeOffset.UtcNow.AddDays(-2) : at ?? DateTimeOffset.UtcNow)));
            var forged = cosigned.Signatures[^1] with { Bytes = new byte[72] };
            return flaw switch
            {
                "no checkpoint" => [],
                "no note" => [1],
                "forged" => SignedNote.Of(note.Text, [.. cosigned.Signatures[..^1], forged]).ToBytes(),
                _ => cosigned.ToBytes(),
            };
        };
    }

    private static async Task<string> StateAsync(TestProxy proxy, string health)
    {
        await Eventually.UntilAsync(async () => (await LogAsync(proxy)).GetProperty("health").GetString() == health);
        return (await LogAsync(proxy)).GetProperty("state").GetString()!;
    }

    private static async Task<JsonElement> LogAsync(TestProxy proxy)
    {
        using var answer = await proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, "/readyz"));
        return JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("logs")[0];
    }
}
