using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;
using TrustixProxy.Nix;
using static TrustixProxy.Consensus.Tests.Make;

namespace TrustixProxy.Consensus.Tests;

/// <summary>A kept decision whose voters lose trust is judged as a fresh one without them, for random electorates, rules and
/// ballots.</summary>
public sealed class KeptDecisionProperties
{
    private static readonly Config Often = Config.QuickThrowOnFailure.WithMaxTest(5000);
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private static readonly NixSecretKey Key = NixSecretKey.Generate("kept-1");
    private static readonly ImmutableHashSet<string> None = [];

    [Fact]
    public void A_kept_decision_never_stands_where_a_fresh_one_without_the_silenced_is_refused() =>
        Check.One(Often, Prop.ForAll((int seed) =>
    {
        var trial = new Trial(seed);
        return trial.Kept(out var record) is false || !trial.Stands(record!) || trial.FreshGrants(record!);
    }));

    [Fact]
    public void A_decision_that_was_kept_when_all_had_answered_stands_exactly_where_a_fresh_one_is_granted() =>
        Check.One(Often, Prop.ForAll((int seed) =>
    {
        var trial = new Trial(seed, isEarly: false);
        return trial.Kept(out var record) is false || trial.Stands(record!) == trial.FreshGrants(record!);
    }));

    [Fact]
    public void An_operator_whose_electors_differ_does_not_carry_a_kept_decision_after_a_freeze()
    {
        Elector[] electors = [Elector("alice"), Elector("bob"), Elector("carol-1", "carol"), Elector("carol-2", "carol")];
        var policy = new Policy(electors);
        var verdict = policy.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol-1", Vote(1)), ("carol-2", Vote(2))));
        var record = DecisionRecord.Of(verdict, Hints(Claim(1)), Now);

        Assert.True(record.StandsWithout(policy, ImmutableHashSet.Create("carol-1"), _ => false));
        Assert.False(record.StandsWithout(policy, ImmutableHashSet.Create("alice"), _ => false));
        Assert.True(record.StandsWithout(policy, ImmutableHashSet.Create("alice", "carol-2"), _ => false));
        Assert.False(record.StandsWithout(policy, ImmutableHashSet<string>.Empty, vote => vote.Elector is "bob"));
    }

    [Fact]
    public void An_elector_that_was_not_waited_for_does_not_count_as_silent_later()
    {
        Elector[] electors = [Elector("alice"), Elector("bob"), Elector("carol-1", "carol"), Elector("carol-2", "carol")];
        var policy = new Policy(electors);
        Assert.True(policy.TryDecide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol-1", Vote(1))), out var early));
        var record = DecisionRecord.Of(early, Hints(Claim(1)), Now);

        Assert.Equal(["carol-2"], record.Ballots.NotHeard.ToArray());
        Assert.True(record.StandsWithout(policy, ImmutableHashSet<string>.Empty, _ => false));
        // carol has a vote only when both of her electors are heard
        Assert.False(record.StandsWithout(policy, ImmutableHashSet.Create("bob"), _ => false));
        Assert.True(record.StandsWithout(policy, ImmutableHashSet.Create("bob", "carol-2"), _ => false));
    }

    [Fact]
    public void A_later_absence_or_silence_takes_nothing_from_a_kept_decision_and_another_claim_does()
    {
        var policy = new Policy([Elector("alice"), Elector("bob"), Elector("carol")], 2);
        var record = DecisionRecord.Of(policy.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)))), Hints(Claim(1)), Now);

        Assert.True(Stands(Later(("alice", Absent), ("bob", Silent), ("carol", Absent))));
        Assert.True(Stands(Later(("alice", Absent), ("bob", Vote(1)), ("carol", Vote(2)))));
        Assert.False(Stands(Later(("alice", Vote(2)), ("bob", Silent), ("carol", Silent))));
        Assert.False(Stands(Later(("alice", Vote(2)), ("bob", Vote(2)))));

        bool Stands(Verdict later) => record.StandsBeside(policy, later, None, _ => false);
        Verdict Later(params (string Elector, Ballot Ballot)[] ballots) => policy.Decide(TestPath, Ballots(ballots));
    }

    [Fact]
    public void A_frozen_or_revoked_vote_does_not_carry_a_kept_decision_past_a_later_dissent()
    {
        var policy = new Policy([Elector("alice"), Elector("bob"), Elector("carol")], 2);
        var record = DecisionRecord.Of(
            policy.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol", Vote(1)))), Hints(Claim(1)), Now);
        var dissent = policy.Decide(TestPath, Ballots(("bob", Vote(2))));

        Assert.True(record.StandsBeside(policy, dissent, None, _ => false));
        Assert.False(record.StandsBeside(policy, dissent, ImmutableHashSet.Create("alice"), _ => false));
        Assert.False(record.StandsBeside(policy, dissent, None, vote => vote.Elector is "alice"));
    }

    [Fact]
    public void Under_a_veto_one_later_dissent_ends_a_kept_decision()
    {
        var policy = new Policy([Elector("alice"), Elector("bob"), Elector("carol")], 2, Dissent.Veto);
        var record = DecisionRecord.Of(policy.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)))), Hints(Claim(1)), Now);

        Assert.True(record.StandsBeside(policy, policy.Decide(TestPath, Ballots(("alice", Absent))), None, _ => false));
        Assert.False(record.StandsBeside(policy, policy.Decide(TestPath, Ballots(("carol", Vote(2)))), None, _ => false));
    }

    /// <summary>A random policy with ballots that are complete in the end, of which a decision saw some, and electors that lose trust
    /// afterwards.</summary>
    private sealed class Trial
    {
        private readonly Policy _policy;
        private readonly Dictionary<string, Ballot> _ballots, _seen;
        private readonly ImmutableHashSet<string> _frozen, _revoked;
        private readonly StorePath _path = TestPath;

        public Trial(int seed, bool isEarly = true)
        {
            var random = new Random(seed);
            Elector[] electors = [.. Enumerable.Range(0, random.Next(1, 8)).Select(i => Elector($"e{i}", $"o{random.Next(0, 5)}"))];
            _policy = PolicyOf(electors, random);
            _ballots = electors.ToDictionary(
                elector => elector.Name, _ => random.Next(5) switch { 0 => Silent, 1 => Absent, var number => Vote(number is 4 ? 2 : 1) });
            _seen = isEarly ? _ballots.Where(_ => random.Next(4) > 0).ToDictionary() : _ballots;
            string[] names = [.. electors.Select(elector => elector.Name)];
            _frozen = [.. names.Where(_ => random.Next(4) is 0)];
            _revoked = [.. names.Where(_ => random.Next(5) is 0)];
        }

        /// <summary>Whether the ballots that were seen granted something; the record went through the seal.</summary>
        public bool Kept(out DecisionRecord? record)
        {
            record = null;
            if (!_policy.TryDecide(_path, _seen, out var verdict)
                || _policy.Except(_path, verdict, Now) is not { Granted: { } claim } granted)
            {
                return false;
            }

            var seal = new DecisionSeal(new RecordSeal(Key, []), _policy);
            return seal.TryOpen(_path.Digest, seal.Seal(_path.Digest, DecisionRecord.Of(granted, Hints(claim), Now)), out record, out _);
        }

        public bool Stands(DecisionRecord record) => record.StandsWithout(_policy, _frozen, vote => _revoked.Contains(vote.Elector));

        /// <summary>Whether a fresh decision, in which the silenced say nothing, grants the same.</summary>
        public bool FreshGrants(DecisionRecord record)
        {
            var ballots = _ballots.ToDictionary(ballot => ballot.Key, ballot => _frozen.Contains(ballot.Key)
                || (_revoked.Contains(ballot.Key) && ballot.Value is Ballot.Claimed) ? Silent : ballot.Value);
            var fresh = _policy.Except(_path, _policy.Decide(_path, ballots), Now);
            return fresh.Granted == record.Claim && (record.IsExcepted || fresh is Verdict.Agreed);
        }

        private static Policy PolicyOf(Elector[] electors, Random random)
        {
            string[] operators = [.. electors.Select(elector => elector.Operator).Distinct()];
            var dissent = (Dissent)random.Next(2);
            var rest = random.Next(3) switch
            {
                0 => new Rule(random.Next(1, operators.Length + 1), operators),
                1 => new Rule(Rule.Percent(random.Next(1, 101), operators.Length), operators),
                _ => Nested(operators, random),
            };
            return new Policy(electors, rest, dissent)
            {
                Scopes = random.Next(3) is 0
                    ? [new Scope(random.Next(2) is 0 ? "src" : "other", Nested(operators, random), (Dissent)random.Next(2))] : [],
                Exceptions = random.Next(4) is 0
                    ? [new PolicyException("src", null, Claim(random.Next(1, 3)).NarHash, "known", Now.AddDays(random.Next(-1, 2)))] : [],
            };
        }

        /// <summary>A rule with a group in it, where there are operators enough.</summary>
        private static Rule Nested(string[] operators, Random random)
        {
            var split = random.Next(0, operators.Length);
            string[] group = operators[split..];
            return split is 0
                ? new Rule(1, operators)
                : new Rule(random.Next(1, split + 2), [.. operators[..split]], [new Rule(random.Next(1, group.Length + 1), group)]);
        }
    }
}
