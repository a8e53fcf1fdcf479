using FsCheck;
using FsCheck.Fluent;
using TrustixProxy.Consensus;
using static TrustixProxy.Apt.Tests.Make;
using Outcome = TrustixProxy.Consensus.Outcome;

namespace TrustixProxy.Apt.Tests;

/// <summary>What holds for every electorate of rebuilders and all their answers, tried on random ones.</summary>
public sealed class DebVerdictProperties
{
    private static readonly Config Often = Config.QuickThrowOnFailure.WithMaxTest(1000);

    /// <summary>Five rebuilders of three operators, and what each may answer; links are signed once.</summary>
    private static readonly TestRebuilder[] All =
        [new("a"), new("b"), new("c"), new("a2", by: "a"), new("b2", by: "b")];

    private static readonly Dictionary<string, DebBallot[]> Answers = All.ToDictionary(rebuilder => rebuilder.Elector.Name, rebuilder =>
        (DebBallot[])[rebuilder.Vote(Hello), rebuilder.Vote(Hello), rebuilder.Vote(Hello, other: 2), new DebBallot.Bad(),
            new DebBallot.Unknown(), new DebBallot.Silent(SilenceReason.Unreachable)]);

    [Fact]
    public void A_file_is_agreed_on_when_enough_operators_vouch_for_it_and_never_otherwise() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (_, policy, ballots) = Random(seed);
        var claims = policy.Electors.GroupBy(elector => elector.Operator).Select(group =>
            group.Select(elector => ballots[elector.Name]).OfType<DebBallot.Claimed>().Select(vote => vote.Claim.Sha256)
                .Distinct().ToList()).ToList();
        var (votes, rivals) = (claims.Count(cast => cast is [var only] && only == Hello.Sha256),
            claims.Count(cast => cast is [var only] && only != Hello.Sha256));
        var (quorum, isContested) = (policy.Rest.Rule.Quorum, claims.SelectMany(cast => cast).Distinct().Count() > 1);
        var expected = votes >= quorum && rivals < quorum && !(policy.Rest.Dissent is Dissent.Veto && isContested);
        return (DebVerdict.Decide(policy, Hello, ballots, default).Outcome is Outcome.Agreed) == expected;
    }));

    [Fact]
    public void An_early_verdict_is_the_one_that_all_answers_lead_to() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (random, policy, ballots) = Random(seed);
        var final = DebVerdict.Decide(policy, Hello, ballots, default);
        var some = new Dictionary<string, DebBallot>();
        foreach (var (name, ballot) in ballots.OrderBy(_ => random.Next()))
        {
            some.Add(name, ballot);
            if (DebVerdict.TryDecide(policy, Hello, some, default, out var early))
            {
                return early.Outcome == final.Outcome;
            }
        }

        return false;
    }));

    [Fact]
    public void A_bad_answer_instead_of_an_unknown_one_changes_nothing() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (_, policy, ballots) = Random(seed);
        var other = ballots.ToDictionary(ballot => ballot.Key,
            ballot => ballot.Value is DebBallot.Bad ? new DebBallot.Unknown() : ballot.Value);
        var (one, two) = (DebVerdict.Decide(policy, Hello, ballots, default), DebVerdict.Decide(policy, Hello, other, default));
        return one.Outcome == two.Outcome && one.MayChange == two.MayChange;
    }));

    [Fact]
    public void A_refusal_that_is_not_open_stays_one_whatever_the_silent_would_say() => Check.One(Often, Prop.ForAll((int seed) =>
    {
        var (random, policy, ballots) = Random(seed);
        var verdict = DebVerdict.Decide(policy, Hello, ballots, default);
        if (verdict.IsGranted || verdict.MayChange)
        {
            return true;
        }

        for (var i = 0; i < 20; i++)
        {
            var later = ballots.ToDictionary(ballot => ballot.Key, ballot => ballot.Value.IsOutage
                ? Answers[ballot.Key][random.Next(5)] : ballot.Value);
            if (DebVerdict.Decide(policy, Hello, later, default).IsGranted)
            {
                return false;
            }
        }

        return true;
    }));

    [Fact]
    public void A_bundle_of_any_verdict_leads_to_it_again() => Check.One(Often.WithMaxTest(200), Prop.ForAll((int seed) =>
    {
        var (_, policy, ballots) = Random(seed);
        var bundle = DebBundle.Of(DebVerdict.Decide(policy, Hello, ballots, default), DateTimeOffset.UnixEpoch, policy);
        return DebBundle.TryVerify(bundle.ToBytes(), policy, out var read, out _)
            && read.Verdict.Sentence == bundle.Verdict.Sentence && read.Hash == bundle.Hash
            && read.ToBytes().SequenceEqual(bundle.ToBytes());
    }));

    private static (Random Random, Policy Policy, Dictionary<string, DebBallot> Ballots) Random(int seed)
    {
        var random = new Random(seed);
        var electors = All.Where(_ => random.Next(3) > 0).Select(rebuilder => rebuilder.Elector).DefaultIfEmpty(All[0].Elector).ToList();
        var operators = electors.Select(elector => elector.Operator).Distinct().ToList();
        var policy = new Policy(
            electors, new Rule(random.Next(1, operators.Count + 1), operators), random.Next(2) is 0 ? Dissent.Outvoted : Dissent.Veto);
        return (random, policy, electors.ToDictionary(
            elector => elector.Name, elector => Answers[elector.Name][random.Next(Answers[elector.Name].Length)]));
    }
}
