using static TrustixProxy.Consensus.Tests.Make;

namespace TrustixProxy.Consensus.Tests;

/// <summary>Two of three operators must agree, in votes that their logs have held for a day.</summary>
public sealed class MinimumAgeTests
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    private static readonly Policy OneDay = new([Elector("alice"), Elector("bob"), Elector("carol")], quorum: 2) { MinimumAge = Day };

    [Fact]
    public void The_youngest_vote_that_a_quorum_needs_has_the_age()
    {
        var young = OneDay.Decide(TestPath, Ballots(("alice", Held(Day)), ("bob", Held(Day - TimeSpan.FromSeconds(1)))));

        Assert.IsType<Verdict.Undecided>(young);
        Assert.True(young.IsTooYoung);
        Assert.EndsWith("; the quorum lacks votes that their logs have held for 1.00:00:00", young.Sentence, StringComparison.Ordinal);
        Assert.IsType<Verdict.Agreed>(OneDay.Decide(TestPath, Ballots(("alice", Held(Day)), ("bob", Held(Day)), ("carol", Vote(1)))));
    }

    [Fact]
    public void A_vote_whose_age_nothing_shows_is_young() =>
        Assert.IsType<Verdict.Undecided>(OneDay.Decide(TestPath, Ballots(("alice", Held(Day)), ("bob", Vote(1)), ("carol", Absent))));

    [Fact]
    public void A_young_vote_for_another_output_is_a_dissent()
    {
        var veto = new Policy(OneDay.Electors, 2, Dissent.Veto) { MinimumAge = Day };
        var ballots = Ballots(("alice", Held(Day)), ("bob", Held(Day)), ("carol", Vote(2)));

        Assert.IsType<Verdict.Agreed>(OneDay.Decide(TestPath, ballots));
        Assert.IsType<Verdict.Conflict>(veto.Decide(TestPath, ballots));
    }

    [Fact]
    public void An_early_answer_waits_while_a_vote_of_the_age_may_come()
    {
        Assert.False(OneDay.TryDecide(TestPath, Ballots(("alice", Held(Day)), ("bob", Vote(1))), out _));
        Assert.True(OneDay.CanReachQuorum(TestPath, Ballots(("alice", Held(Day)), ("bob", Vote(1)))));
        Assert.False(OneDay.CanReachQuorum(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)))));
        Assert.True(OneDay.TryDecide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol", Vote(1))), out var verdict));
        Assert.IsType<Verdict.Undecided>(verdict);
    }

    [Fact]
    public void What_lacks_a_vote_or_a_span_is_not_only_too_young()
    {
        var spanning = new Policy(OneDay.Electors, 2) { MinimumAge = Day, Distinct = [new DistinctValues("country", 1)] };

        Assert.False(OneDay.Decide(TestPath, Ballots(("alice", Held(Day)))).IsTooYoung);
        Assert.False(spanning.Decide(TestPath, Ballots(("alice", Held(Day)), ("bob", Vote(1)))).IsTooYoung);
    }

    [Fact]
    public void A_scope_has_its_own_age()
    {
        var policy = new Policy(OneDay.Electors, 2)
        {
            MinimumAge = Day,
            Scopes = [OneDay.Rest with { Match = "src", MinimumAge = TimeSpan.Zero }],
        };

        Assert.IsType<Verdict.Agreed>(policy.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)))));
        Assert.Equal(Day, policy.LongestAge);
    }

    [Fact]
    public void The_age_is_part_of_the_policys_identity()
    {
        var plain = new Policy(OneDay.Electors, 2);

        Assert.NotEqual(plain.Identity, OneDay.Identity);
        Assert.DoesNotContain("age", plain.Text, StringComparison.Ordinal);
        Assert.NotEqual(OneDay.Identity, new Policy(OneDay.Electors, 2) { MinimumAge = Day * 2 }.Identity);
    }

    [Fact]
    public void A_kept_agreement_stands_by_the_ages_of_its_time()
    {
        var claim = Claim(1);
        var verdict = OneDay.Decide(TestPath, Ballots(("alice", Held(Day)), ("bob", Held(Day)), ("carol", Vote(1))));
        var record = DecisionRecord.Of(verdict, Hints(claim), DateTimeOffset.UnixEpoch);

        Assert.True(record.StandsWithout(OneDay, new HashSet<string> { "carol" }, _ => false));
        Assert.False(record.StandsWithout(OneDay, new HashSet<string> { "bob" }, _ => false));
    }

    private static Ballot.Claimed Held(TimeSpan age) => (Ballot.Claimed)Vote(1) with { Age = age };
}
