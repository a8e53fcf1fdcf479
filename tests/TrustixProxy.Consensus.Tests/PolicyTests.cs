using static TrustixProxy.Consensus.Tests.Make;

namespace TrustixProxy.Consensus.Tests;

public sealed class PolicyTests
{
    private static readonly Policy TwoOfThree = new([Elector("alice"), Elector("bob"), Elector("carol")]);

    [Fact]
    public void The_quorum_is_a_majority_unless_said_otherwise()
    {
        Assert.Equal([1, 2, 2, 3, 3],
            Enumerable.Range(1, 5).Select(count => new Policy(Enumerable.Range(0, count).Select(i => Elector($"e{i}"))).Rest.Rule.Quorum));
    }

    [Fact]
    public void A_quorum_agrees_and_the_dissenter_is_kept_as_part_of_the_reason()
    {
        var verdict = Assert.IsType<Verdict.Agreed>(
            TwoOfThree.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol", Vote(2)))));

        Assert.Equal(Claim(1), verdict.Claim);
        Assert.Equal($"2 of 3 needed: alice={Claim(1).NarHash}, bob={Claim(1).NarHash}, carol={Claim(2).NarHash}", verdict.Sentence);
    }

    [Fact]
    public void An_even_split_is_a_conflict()
    {
        var verdict = TwoOfThree.Decide(TestPath, Ballots(("alice", Vote(1)), ("carol", Vote(2))));

        Assert.Equal(ConflictReason.NoQuorum, Assert.IsType<Verdict.Conflict>(verdict).Reason);
    }

    [Fact]
    public void Silent_electors_still_count_towards_the_majority()
    {
        var verdict = TwoOfThree.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Absent), ("carol", Silent)));

        Assert.Equal(Outcome.Undecided, Assert.IsType<Verdict.Undecided>(verdict).Outcome);
        Assert.Equal($"2 of 3 needed: alice={Claim(1).NarHash}, bob=absent, carol=silent(no-answer)", verdict.Sentence);
    }

    [Fact]
    public void Nobody_agrees_on_nothing() => Assert.IsType<Verdict.Undecided>(TwoOfThree.Decide(TestPath, Ballots()));

    [Fact]
    public void Two_quorums_are_a_conflict()
    {
        var policy = new Policy([Elector("a"), Elector("b"), Elector("c"), Elector("d")], quorum: 2);

        var verdict = policy.Decide(TestPath, Ballots(("a", Vote(1)), ("b", Vote(1)), ("c", Vote(2)), ("d", Vote(2))));

        Assert.Equal(ConflictReason.TwoQuorums, Assert.IsType<Verdict.Conflict>(verdict).Reason);
    }

    [Fact]
    public void Under_veto_one_proven_dissent_refuses_and_an_absence_does_not()
    {
        var policy = new Policy([Elector("alice"), Elector("bob"), Elector("carol")], dissent: Dissent.Veto);

        Assert.Equal(ConflictReason.Veto, Assert.IsType<Verdict.Conflict>(
            policy.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol", Vote(2))))).Reason);
        Assert.IsType<Verdict.Agreed>(policy.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol", Absent))));
        Assert.IsType<Verdict.Agreed>(policy.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol", Silent))));
    }

    [Fact]
    public void An_operator_has_one_vote_and_none_when_its_electors_differ()
    {
        var policy = new Policy([Elector("a1", "a"), Elector("a2", "a"), Elector("b"), Elector("c")]);
        Assert.Equal((2, 3), (policy.Rest.Rule.Quorum, policy.Rest.Rule.Members));

        Assert.IsType<Verdict.Undecided>(policy.Decide(TestPath, Ballots(("a1", Vote(1)), ("a2", Vote(1)))));
        Assert.IsType<Verdict.Agreed>(policy.Decide(TestPath, Ballots(("a1", Vote(1)), ("a2", Silent), ("b", Vote(1)))));
        Assert.IsType<Verdict.Conflict>(policy.Decide(TestPath, Ballots(("a1", Vote(1)), ("a2", Vote(2)), ("b", Vote(1)))));
        Assert.IsType<Verdict.Agreed>(policy.Decide(TestPath, Ballots(("a1", Vote(1)), ("a2", Vote(2)), ("b", Vote(1)), ("c", Vote(1)))));
    }

    [Fact]
    public void Claims_with_one_hash_and_different_references_are_different_and_told_apart()
    {
        var other = new OutputClaim(TestPath, new NarHash(Claim(1).NarHash), 100, [TestPath]);

        var verdict = TwoOfThree.Decide(
            TestPath, Ballots(("alice", Vote(1)), ("bob", new Ballot.Claimed(other, new VoteProof.ByLog(0, 10, true)))));

        Assert.IsType<Verdict.Conflict>(verdict);
        Assert.Contains("(size 100, 0 references), bob=", verdict.Sentence, StringComparison.Ordinal);
        Assert.Contains("(size 100, 1 references)", verdict.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void An_untied_vote_is_shown_as_one()
    {
        var verdict = TwoOfThree.Decide(
            TestPath, Ballots(("alice", Vote(1, isTied: false)), ("bob", new Ballot.Absent(IsProven: false, 3))));

        Assert.Equal($"2 of 3 needed: alice={Claim(1).NarHash}(untied), bob=silent(not-found), carol=silent(no-answer)", verdict.Sentence);
    }

    [Fact]
    public void An_early_answer_waits_while_a_rival_could_still_reach_the_quorum()
    {
        var oneOfThree = new Policy([Elector("alice"), Elector("bob"), Elector("carol")], quorum: 1);

        Assert.True(TwoOfThree.TryDecide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1))), out var verdict));
        Assert.IsType<Verdict.Agreed>(verdict);
        Assert.False(oneOfThree.TryDecide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1))), out _));
        Assert.True(oneOfThree.TryDecide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol", Absent)), out _));
    }

    [Fact]
    public void Under_veto_an_early_answer_waits_for_everyone()
    {
        var policy = new Policy([Elector("alice"), Elector("bob"), Elector("carol")], dissent: Dissent.Veto);

        Assert.False(policy.TryDecide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1))), out _));
        Assert.True(policy.TryDecide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(2))), out var verdict));
        Assert.IsType<Verdict.Conflict>(verdict);
    }

    [Fact]
    public void Early_an_operators_vote_counts_only_when_all_its_electors_have_answered()
    {
        var policy = new Policy([Elector("a1", "a"), Elector("a2", "a"), Elector("b"), Elector("c")]);

        Assert.False(policy.TryDecide(TestPath, Ballots(("a1", Vote(1)), ("b", Vote(1))), out _));
        Assert.True(policy.TryDecide(TestPath, Ballots(("a1", Vote(1)), ("a2", Silent), ("b", Vote(1))), out _));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(4)]
    public void A_quorum_that_is_nothing_or_out_of_reach_is_refused(int quorum) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Policy(TwoOfThree.Electors, quorum));

    [Fact]
    public void A_name_or_a_key_occurs_once()
    {
        Assert.Throws<ArgumentException>(() => new Policy([Elector("alice"), Elector("alice", "other")]));
        Assert.Throws<ArgumentException>(() => new Policy([Elector("alice"), Elector("alice") with { Name = "bob" }]));
    }

    [Fact]
    public void An_empty_electorate_agrees_on_nothing() => Assert.IsType<Verdict.Undecided>(new Policy([]).Decide(TestPath, Ballots()));

    [Fact]
    public void The_policy_has_another_identity_when_anything_that_decides_is_changed()
    {
        var (electors, one) = (TwoOfThree.Electors, (Elector.Log)TwoOfThree.Electors[0]);
        Policy[] others =
        [
            new(electors, quorum: 3),
            new(electors, dissent: Dissent.Veto),
            new([electors[0], electors[1]]),
            new([one with { Name = "eve" }, electors[1], electors[2]]),
            new([one with { Operator = "bob" }, electors[1], electors[2]], quorum: 2),
            new([one with { KeyForm = LogKeyForm.ReferenceProxy }, electors[1], electors[2]]),
            new([one with { RequiresInclusionProof = false }, electors[1], electors[2]]),
            new([one with { Key = Elector("eve").Key }, electors[1], electors[2]]),
        ];

        Assert.Equal(others.Length + 1, others.Append(TwoOfThree).DistinctBy(policy => policy.Identity).Count());
        Assert.Equal(TwoOfThree.Identity, new Policy(electors.Reverse()).Identity);
    }
}
