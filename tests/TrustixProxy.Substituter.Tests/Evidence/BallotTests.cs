using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>No silence is taken for an answer, and no answer for a silence.</summary>
public sealed class BallotTests
{
    private static readonly NixSecretKey Key = NixSecretKey.Generate("ballot-1");
    private static readonly TestOutput Output = TestOutput.Make();
    private static readonly Policy Policy = new(
        [Elector("alice"), Elector("bob"), Elector("carol-1", "carol"), Elector("carol-2", "carol")]);

    [Fact]
    public void An_open_breaker_does_not_complete_its_operators_early_vote()
    {
        var ballots = NoBallots();
        Hear(ballots, "alice", Vote());
        Hear(ballots, "carol-1", Vote());
        Hear(ballots, "carol-2", new Ballot.Silent(SilenceReason.BreakerOpen));
        Assert.Null(Decide(ballots)); // carol-2 may differ: then carol has no vote

        Hear(ballots, "bob", new Ballot.Absent(IsProven: true, 1));
        Assert.Null(Decide(ballots));
        Assert.Equal(Outcome.Agreed, Decide(ballots, isLate: true)?.Outcome);
        Hear(ballots, "carol-2", new Ballot.Absent(IsProven: true, 1));
        Assert.Equal(Outcome.Agreed, Decide(ballots)?.Outcome);
    }

    [Fact]
    public void Behind_an_open_breaker_an_elector_is_silent_at_once_where_the_others_suffice_or_no_quorum_can_come_about()
    {
        var (granted, refused) = (NoBallots(), NoBallots());
        Hear(granted, "alice", Vote());
        Hear(granted, "bob", Vote());
        Hear(granted, "carol-1", new Ballot.Silent(SilenceReason.BreakerOpen));
        Hear(refused, "alice", new Ballot.Absent(IsProven: true, 1));
        Hear(refused, "bob", new Ballot.Absent(IsProven: true, 1));
        Hear(refused, "carol-1", Vote());
        Hear(refused, "carol-2", new Ballot.Silent(SilenceReason.BreakerOpen));

        Assert.Equal(Outcome.Agreed, Decide(granted)?.Outcome);
        Assert.Equal(Outcome.Undecided, Decide(refused)?.Outcome);
    }

    [Theory]
    [InlineData(SilenceReason.ClaimOfOtherPath, true)]
    [InlineData(SilenceReason.ClaimMalformed, true)]
    [InlineData(SilenceReason.NoSignature, true)]
    [InlineData(SilenceReason.Unwitnessed, true)]
    [InlineData(SilenceReason.Unreachable, false)]
    [InlineData(SilenceReason.NoAnswer, false)]
    [InlineData(SilenceReason.MapProof, false)]
    public void An_answer_that_is_no_vote_is_a_last_word_and_a_failure_is_none(SilenceReason reason, bool isLast)
    {
        var ballots = NoBallots();
        foreach (var name in new[] { "alice", "bob", "carol-1", "carol-2" })
        {
            Hear(ballots, name, new Ballot.Silent(reason));
        }

        Assert.Equal(isLast, ballots.AreSettled);
        Assert.Equal(isLast, Decide(ballots) is not null);
    }

    [Fact]
    public void An_unproven_hash_is_silence_at_once_and_a_last_word_when_nobody_can_give_another_candidate()
    {
        var unproven = new Ballot.Silent(SilenceReason.UnprovenHash);
        var values = new CandidateValues();
        var (granted, open) = (NoBallots(), new Ballots(Policy, values));
        Hear(granted, "carol-1", unproven);
        Hear(granted, "alice", Vote());
        Hear(granted, "bob", Vote());
        foreach (var name in new[] { "alice", "bob", "carol-2" })
        {
            Hear(open, name, new Ballot.Absent(IsProven: true, 1));
        }

        Hear(open, "carol-1", unproven);

        Assert.Equal(Outcome.Agreed, Decide(granted)?.Outcome);
        Assert.False(open.AreSettled);
        values.Close();
        Assert.True(open.AreSettled);
        Assert.Equal(Outcome.Undecided, Decide(open)?.Outcome);
        Assert.Equal(["carol-1"], open.TakeBackUnproven());
        Assert.False(open.AreSettled);
    }

    [Fact]
    public void A_path_may_yet_be_granted_while_a_candidate_that_proves_a_hash_may_come()
    {
        var values = new CandidateValues();
        var ballots = new Ballots(Policy, values);
        Hear(ballots, "alice", Vote());
        Hear(ballots, "bob", new Ballot.Absent(IsProven: true, 1));
        Hear(ballots, "carol-1", new Ballot.Silent(SilenceReason.UnprovenHash));
        Hear(ballots, "carol-2", new Ballot.Absent(IsProven: true, 1));

        Assert.True(ballots.MayBeGranted(Output.Path, DateTimeOffset.UnixEpoch));
        values.Close();
        Assert.False(ballots.MayBeGranted(Output.Path, DateTimeOffset.UnixEpoch));
    }

    [Fact]
    public async Task A_signed_cache_that_answers_for_another_path_does_not_hold_a_refusal_to_its_deadline()
    {
        var output = TestOutput.Make("hello");
        Assert.True(StorePath.TryParse($"{output.Path.Digest}-other", out var other, out _));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        var cache = await proxy.AddUpstreamAsync("cache");
        proxy.Upstream("main").Add(output);
        cache.Add(TestOutput.At(other, [1]));
        proxy.Caches.Add(new CacheOptions(new Elector.Cache("cache", "cache", [Key.PublicKey]), cache.Url));
        proxy.Change = options => options with { Deadline = TimeSpan.FromMinutes(2) };
        await proxy.StartAsync();

        var answer = await proxy.AskAsync(output.Path).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.Equal("undecided", answer.Decision);
    }

    [Theory]
    [InlineData(200, "<html>this domain is for sale</html>")]
    [InlineData(200, "StorePath: nonsense\n")]
    [InlineData(401, "")]
    [InlineData(400, "")]
    public async Task A_signed_cache_that_gives_a_useless_answer_has_spoken_and_does_not_hold_a_refusal_to_its_deadline(
        int status, string body)
    {
        var output = TestOutput.Make("hello");
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        var cache = await proxy.AddUpstreamAsync("cache");
        proxy.Upstream("main").Add(output);
        cache.Intercept = async context =>
        {
            context.Response.StatusCode = status;
            await Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(context.Response, body);
            return true;
        };
        proxy.Caches.Add(new CacheOptions(new Elector.Cache("cache", "cache", [Key.PublicKey]), cache.Url));
        proxy.Change = options => options with { Deadline = TimeSpan.FromMinutes(2) };
        await proxy.StartAsync();

        var answer = await proxy.AskAsync(output.Path).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.Equal("undecided", answer.Decision);
        Assert.Single(cache.Requests);
    }

    private static Elector.Log Elector(string name, string? by = null) =>
        new(name, by ?? name, new LogSigner(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(name))).Key);

    /// <summary>No ballots yet; each upstream has answered.</summary>
    private static Ballots NoBallots()
    {
        var values = new CandidateValues();
        values.Close();
        return new Ballots(Policy, values);
    }

    private static void Hear(Ballots ballots, string elector, Ballot ballot) => ballots.Hear(elector, ballot, TimeSpan.Zero);

    private static Verdict? Decide(Ballots ballots, bool isLate = false) =>
        ballots.Decide(Output.Path, isLate, DateTimeOffset.UnixEpoch);

    private static Ballot.Claimed Vote()
    {
        var narInfo = Output.NarInfo();
        Assert.True(OutputClaim.TryReadSigned(
            narInfo with { Signatures = [Key.Sign(narInfo.Fingerprint)] }, [Key.PublicKey], out var claim, out _));
        return new Ballot.Claimed(claim, new VoteProof.ByLog(0, 1, IsTied: true));
    }
}
