using System.Collections.Immutable;
using TrustixProxy.Nix;
using static TrustixProxy.Consensus.Tests.WitnessedLog;

namespace TrustixProxy.Consensus.Tests;

/// <summary>A kept vote of a witnessed log counts as long as a fresh answer of that log could.</summary>
public sealed class WitnessedVotesTests
{
    private static readonly OutputClaim Claim = Make.Claim(1);

    [Fact]
    public void A_vote_counts_until_the_cosignatures_of_its_head_are_too_old()
    {
        var votes = new WitnessedVotes(TestPolicy, (_, _) => null);

        Assert.True(votes.AreDemanded);
        Assert.Equal(Now + Within, votes.CountsUntil(VoteAt(Now)));
    }

    [Fact]
    public void It_counts_longer_while_witnesses_see_a_head_that_continues_its_head()
    {
        var asked = new List<(string, long)>();
        var votes = new WitnessedVotes(TestPolicy, (name, size) =>
        {
            asked.Add((name, size));
            return Now.AddHours(5);
        });

        Assert.Equal(Now.AddHours(5) + Within, votes.CountsUntil(VoteAt(Now)));
        Assert.Equal(Now.AddHours(6) + Within, votes.CountsUntil(VoteAt(Now.AddHours(6))));
        Assert.Equal(Now.AddHours(5) + Within, votes.CountsUntil(VoteAt(null)));
        Assert.Equal([("alice", 10), ("alice", 10), ("alice", 10)], asked);
    }

    [Fact]
    public void A_vote_of_which_no_cosignature_is_known_does_not_count()
    {
        var votes = new WitnessedVotes(TestPolicy, (_, _) => null);

        Assert.Equal(DateTimeOffset.MinValue, votes.CountsUntil(VoteAt(null)));
        Assert.Equal(DateTimeOffset.MinValue, votes.CountsUntil(new Vote("alice", Claim, null, null)));
    }

    [Fact]
    public void Votes_that_need_no_witnesses_or_none_of_an_age_count_for_ever()
    {
        Elector ageless = Alice with { Witnesses = Demand with { Within = null } };
        Elector patient = Alice with { Witnesses = Demand with { Within = TimeSpan.MaxValue } };

        Assert.Equal(DateTimeOffset.MaxValue, Votes(Make.Elector("alice")).CountsUntil(VoteAt(null)));
        Assert.False(Votes(Make.Elector("alice")).AreDemanded);
        Assert.Equal(DateTimeOffset.MaxValue, Votes(ageless).CountsUntil(VoteAt(Now)));
        Assert.Equal(DateTimeOffset.MaxValue, Votes(patient).CountsUntil(VoteAt(Now)));
    }

    [Fact]
    public void A_sealed_record_says_when_witnesses_saw_each_head_and_one_of_an_earlier_version_does_not()
    {
        var seal = new DecisionSeal(new RecordSeal(NixSecretKey.Generate("seal-1"), []), TestPolicy);
        var ballot = Evidence().Judge(Alice, Output.Path);
        var record = RecordOf(ballot);

        Assert.True(seal.TryOpen(Output.Path.Digest, seal.Seal(Output.Path.Digest, record), out var opened, out _));

        Assert.Equal(Now, Assert.Single(record.Ballots.Votes).Position!.WitnessedAt);
        Assert.Equal(Now, Assert.Single(opened.Ballots.Votes).Position!.WitnessedAt);
        var before = RecordOf((Evidence() with { Witnessed = null }).Judge(Alice, Output.Path));
        var bytes = seal.Seal(Output.Path.Digest, before);
        Assert.DoesNotContain("WitnessedAt", System.Text.Encoding.UTF8.GetString(bytes), StringComparison.Ordinal);
        Assert.True(seal.TryOpen(Output.Path.Digest, bytes, out opened, out _));
        Assert.Null(Assert.Single(opened.Ballots.Votes).Position!.WitnessedAt);
    }

    [Fact]
    public void A_kept_decision_is_judged_again_without_the_votes_that_no_longer_count()
    {
        var policy = new Policy([Alice, Make.Elector("bob"), Make.Elector("carol")], 2);
        var votes = new WitnessedVotes(policy, (_, _) => null);
        var ballots = Make.Ballots(("alice", Evidence().Judge(Alice, Output.Path)), ("bob", Same()));
        var two = DecisionRecord.Of(policy.Decide(Output.Path, ballots), Make.Hints(Claim), Now);
        var three = DecisionRecord.Of(
            policy.Decide(Output.Path, new Dictionary<string, Ballot>(ballots) { ["carol"] = Same() }), Make.Hints(Claim), Now);
        bool Stands(DecisionRecord record, DateTimeOffset now) =>
            record.StandsWithout(policy, ImmutableHashSet<string>.Empty, vote => votes.CountsUntil(vote) < now);

        Assert.True(Stands(two, Now + Within));
        Assert.False(Stands(two, Now + Within + TimeSpan.FromSeconds(1)));
        Assert.True(Stands(three, Now + Within + TimeSpan.FromSeconds(1)));
    }

    private static WitnessedVotes Votes(Elector elector) => new(new Policy([elector], 1), (_, _) => null);

    private static Vote VoteAt(DateTimeOffset? at) =>
        new("alice", Claim, new VotePosition(1, 10, null, true) { WitnessedAt = at }, null);

    private static LogEvidence Evidence() => new(Memory.Head, Memory.MapValue(Output.Statement.Key, Memory.Head.Content.MapRoot)!,
        [.. Memory.InclusionProof(0, 1)], Output.Statement.Value)
    {
        Witnessed = Seen(Now),
    };

    /// <summary>A vote of a plain log for the claim of the witnessed one.</summary>
    private static Ballot.Claimed Same() =>
        new(((Ballot.Claimed)Evidence().Judge(Alice, Output.Path)).Claim, new VoteProof.ByLog(1, 10, IsTied: true));

    private static DecisionRecord RecordOf(Ballot ballot)
    {
        var verdict = TestPolicy.Decide(Output.Path, Make.Ballots(("alice", ballot)));
        return DecisionRecord.Of(verdict, Make.Hints(verdict.Granted!), Now);
    }
}
