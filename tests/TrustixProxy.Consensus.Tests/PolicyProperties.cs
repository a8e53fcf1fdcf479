using FsCheck;
using FsCheck.Fluent;
using static TrustixProxy.Consensus.Tests.Make;

namespace TrustixProxy.Consensus.Tests;

/// <summary>What holds for every electorate and all ballots, tried on random ones.</summary>
public sealed class PolicyProperties
{
    private static readonly Config Often = Config.QuickThrowOnFailure.WithMaxTest(2000);

    [Fact]
    public void The_order_of_arrival_never_matters() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (random, policy, ballots) = Random(seed);
        var (first, second) = (Shuffled(ballots, random), Shuffled(ballots, random));
        return Early(policy, first).Outcome == Early(policy, second).Outcome
            && Claimed(Early(policy, first)) == Claimed(Early(policy, second))
            && policy.Decide(TestPath, first).Sentence == policy.Decide(TestPath, second).Sentence;
    }));

    [Fact]
    public void An_early_verdict_is_the_one_that_all_answers_lead_to() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (random, policy, ballots) = Random(seed);
        var final = policy.Decide(TestPath, ballots);
        var early = Early(policy, Shuffled(ballots, random));
        return early.Outcome == final.Outcome && Claimed(early) == Claimed(final);
    }));

    [Fact]
    public void A_verdict_is_given_early_only_when_no_completion_changes_it() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (random, policy, ballots) = Random(seed);
        var some = ballots.Where(_ => random.Next(2) is 0).ToDictionary();
        if (!policy.TryDecide(TestPath, some, out var early))
        {
            return true;
        }

        for (var i = 0; i < 20; i++)
        {
            var completed = policy.Electors.ToDictionary(
                elector => elector.Name, elector => some.GetValueOrDefault(elector.Name) ?? AnyBallot(random));
            var final = policy.Decide(TestPath, completed);
            if (final.Outcome != early.Outcome || Claimed(final) != Claimed(early))
            {
                return false;
            }
        }

        return true;
    }));

    [Fact]
    public void A_demand_for_distinct_values_serves_nothing_that_was_refused_without() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (_, policy, ballots) = Random(seed);
        var without = new Policy(policy.Electors, policy.Rest.Rule, policy.Rest.Dissent);
        var claim = Claimed(policy.Decide(TestPath, ballots));
        return claim is null || claim == Claimed(without.Decide(TestPath, ballots));
    }));

    [Fact]
    public void A_longer_age_serves_nothing_that_was_refused_with_a_shorter_one() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (random, policy, ballots) = Random(seed);
        var longer = new Policy(policy.Electors, policy.Rest.Rule, policy.Rest.Dissent)
        {
            Distinct = policy.Distinct,
            MinimumAge = policy.MinimumAge + TimeSpan.FromHours(random.Next(3)),
        };
        var claim = Claimed(longer.Decide(TestPath, ballots));
        return claim is null || claim == Claimed(policy.Decide(TestPath, ballots));
    }));

    [Fact]
    public void An_agreeing_vote_never_turns_an_agreement_into_a_refusal() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (random, policy, ballots) = Random(seed);
        if (policy.Decide(TestPath, ballots) is not Verdict.Agreed agreed)
        {
            return true;
        }

        var silent = policy.Electors.Where(elector => ballots.GetValueOrDefault(elector.Name) is not Ballot.Claimed).ToList();
        var more = new Dictionary<string, Ballot>(ballots);
        foreach (var elector in silent.Where(_ => random.Next(2) is 0))
        {
            more[elector.Name] = Held(new Ballot.Claimed(agreed.Claim, new VoteProof.ByLog(0, 10, true)), random.Next(-1, 4));
        }

        return policy.Decide(TestPath, more) is Verdict.Agreed still && still.Claim == agreed.Claim;
    }));

    [Fact]
    public void Nothing_is_agreed_on_without_a_quorum_of_distinct_operators() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (_, policy, ballots) = Random(seed);
        return policy.Decide(TestPath, ballots) is not Verdict.Agreed agreed
            || policy.Electors.Where(
                elector => ballots.GetValueOrDefault(elector.Name) is Ballot.Claimed vote && vote.Claim == agreed.Claim)
                .DistinctBy(elector => elector.Operator).Count() >= policy.Rest.Rule.Quorum;
    }));

    [Fact]
    public void The_verdict_is_the_one_that_the_rules_read_aloud_give() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (_, policy, ballots) = Random(seed);
        return policy.Decide(TestPath, ballots).Outcome == ReadAloud(policy, ballots);
    }));

    /// <summary>Decisions 2 and 3, word by word.</summary>
    private static Outcome ReadAloud(Policy policy, Dictionary<string, Ballot> ballots)
    {
        var claims = new List<OutputClaim>();
        var votes = new List<(OutputClaim Claim, string? Country, bool IsAged)>();
        foreach (var group in policy.Electors.GroupBy(elector => elector.Operator))
        {
            var cast = group.Select(elector => ballots.GetValueOrDefault(elector.Name)).OfType<Ballot.Claimed>().ToList();
            var said = cast.Select(vote => vote.Claim).ToList();
            claims.AddRange(said);
            if (said.Distinct().Count() is 1)
            {
                // an operator has one vote, and one country; one whose electors differ has none
                var countries = group.Select(elector => elector.Tags["country"]).Distinct().ToList();
                votes.Add((said[0], countries.Count is 1 ? countries[0] : null,
                    cast.Any(vote => (vote.Age ?? TimeSpan.Zero) >= policy.MinimumAge)));
            }
        }

        var quorums = votes.GroupBy(vote => vote.Claim).Where(group => group.Count() >= policy.Rest.Rule.Quorum).ToList();
        var aged = quorums is [var quorum] ? quorum.Where(vote => vote.IsAged).ToList() : [];
        var isSpanning = aged.Count >= policy.Rest.Rule.Quorum && policy.Distinct.All(distinct =>
            aged.Select(vote => vote.Country).OfType<string>().Distinct().Count() >= distinct.Count);
        var proven = claims.Distinct().Count();
        var isVetoed = policy.Rest.Dissent is Dissent.Veto && proven >= 2;
        return isSpanning && !isVetoed ? Outcome.Agreed : proven >= 2 ? Outcome.Conflict : Outcome.Undecided;
    }

    private static (Random Random, Policy Policy, Dictionary<string, Ballot> Ballots) Random(int seed)
    {
        var random = new Random(seed);
        var electors = Enumerable.Range(0, random.Next(1, 7)).Select(i => Elector($"e{i}", $"o{random.Next(0, 5)}")).ToList();
        var operators = electors.DistinctBy(elector => elector.Operator).Count();
        electors = [.. electors.Select(elector => random.Next(4) is 0 ? elector : elector with { Tags = Country($"c{random.Next(3)}") })];
        var policy = new Policy(electors, random.Next(1, operators + 1), (Dissent)random.Next(2))
        {
            Distinct = random.Next(2) is 0 ? [] : [new DistinctValues("country", random.Next(1, 4))],
            MinimumAge = TimeSpan.FromHours(random.Next(3)),
        };
        return (random, policy, electors.ToDictionary(elector => elector.Name, _ => AnyBallot(random)));
    }

    private static Ballot AnyBallot(Random random) =>
        random.Next(5) switch { 0 => Silent, 1 => Absent, var number => Held(Vote(number is 4 ? 2 : 1), random.Next(-1, 4)) };

    /// <summary>A vote of an age in hours; of none that is known if negative.</summary>
    private static Ballot Held(Ballot vote, int hours) =>
        (Ballot.Claimed)vote with { Age = hours < 0 ? null : TimeSpan.FromHours(hours) };

    private static Dictionary<string, Ballot> Shuffled(Dictionary<string, Ballot> ballots, Random random)
    {
        var items = ballots.ToArray();
        random.Shuffle(items);
        return items.ToDictionary();
    }

    /// <summary>The verdict as it is first given when the ballots come one by one in this order.</summary>
    private static Verdict Early(Policy policy, Dictionary<string, Ballot> arrivals)
    {
        var soFar = new Dictionary<string, Ballot>();
        foreach (var (elector, ballot) in arrivals)
        {
            if (policy.TryDecide(TestPath, soFar, out var verdict))
            {
                return verdict;
            }

            soFar.Add(elector, ballot);
        }

        return policy.Decide(TestPath, soFar);
    }

    private static OutputClaim? Claimed(Verdict verdict) => (verdict as Verdict.Agreed)?.Claim;
}
