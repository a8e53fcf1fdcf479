using static TrustixProxy.Consensus.Tests.Make;

namespace TrustixProxy.Consensus.Tests;

/// <summary>Two of four operators must agree, and they must be in two countries.</summary>
public sealed class DistinctValuesTests
{
    private static readonly Policy TwoCountries = new(
        [In("DE", "alice"), In("DE", "bob"), In("FR", "carol"), Elector("dave")], quorum: 2)
    {
        Distinct = [new DistinctValues("country", 2)],
    };

    [Fact]
    public void A_quorum_spans_the_values_or_is_none()
    {
        var without = TwoCountries.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("dave", Vote(1))));
        var with = TwoCountries.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol", Vote(1))));

        Assert.IsType<Verdict.Undecided>(without);
        Assert.EndsWith("; the quorum lacks 2 different values of country", without.Sentence, StringComparison.Ordinal);
        Assert.IsType<Verdict.Agreed>(with);
    }

    [Fact]
    public void An_early_answer_waits_for_the_value_that_lacks()
    {
        Assert.False(TwoCountries.TryDecide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("dave", Absent)), out _));
        Assert.True(TwoCountries.TryDecide(
            TestPath, Ballots(("alice", Vote(1)), ("bob", Absent), ("dave", Absent), ("carol", Vote(1))), out var verdict));
        Assert.IsType<Verdict.Agreed>(verdict);
    }

    [Fact]
    public void A_quorum_in_one_country_beside_a_dissent_is_a_conflict() => Assert.IsType<Verdict.Conflict>(
        TwoCountries.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol", Vote(2)))));

    [Fact]
    public void An_operator_whose_electors_differ_has_no_value()
    {
        var policy = new Policy([In("DE", "a1", "a"), In("FR", "a2", "a"), In("DE", "bob")], quorum: 2)
        {
            Distinct = [new DistinctValues("country", 2)],
        };

        Assert.Equal(1, policy.Distinct[0].CountOf(policy.Electors));
        Assert.IsType<Verdict.Undecided>(policy.Decide(TestPath, Ballots(("a1", Vote(1)), ("a2", Vote(1)), ("bob", Vote(1)))));
    }

    [Fact]
    public void An_operator_that_the_rule_does_not_count_adds_no_value()
    {
        var policy = new Policy(TwoCountries.Electors, new Rule(2, ["alice", "bob"])) { Distinct = TwoCountries.Distinct };

        Assert.IsType<Verdict.Undecided>(policy.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol", Vote(1)))));
        Assert.False(policy.CanReachQuorum(TestPath, Ballots()));
    }

    [Fact]
    public void Tags_and_demands_are_part_of_the_policys_identity()
    {
        var plain = new Policy([Elector("alice"), Elector("bob")]);
        var tagged = new Policy([In("DE", "alice"), Elector("bob")]);

        Assert.NotEqual(plain.Identity, tagged.Identity);
        Assert.NotEqual(tagged.Identity, new Policy(tagged.Electors) { Distinct = [new DistinctValues("country", 1)] }.Identity);
        Assert.Equal(ElectorTags.Of([new("a", "1"), new("b", "2")]), ElectorTags.Of([new("b", "2"), new("a", "1")]));
        Assert.Null(Country("DE")["count"]);
    }

    private static Elector In(string country, string name, string? by = null) => Elector(name, by) with { Tags = Country(country) };
}
