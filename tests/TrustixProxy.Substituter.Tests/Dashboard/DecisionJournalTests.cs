using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Dashboard;

/// <summary>What the dashboard remembers of decisions.</summary>
public sealed class DecisionJournalTests
{
    private readonly ManualTime _clock = new();

    [Fact]
    public void Decisions_are_counted_by_the_minute_for_a_day()
    {
        var journal = new DecisionJournal(_clock);
        Decide(journal, Outcome.Agreed, 3);
        _clock.Now += TimeSpan.FromMinutes(59);
        Decide(journal, Outcome.Conflict, 2);

        var hour = journal.Count(60, 1);
        _clock.Now += TimeSpan.FromMinutes(2);
        var later = journal.Count(60, 1);
        var day = journal.Count(48, 30);
        _clock.Now += TimeSpan.FromHours(25);

        Assert.Equal((3, 2), (hour[0].Counts[Outcome.Agreed], hour[59].Counts[Outcome.Conflict]));
        Assert.Equal((0, 2),
            (later.Sum(span => span.Counts.GetValueOrDefault(Outcome.Agreed)),
                later.Sum(span => span.Counts.GetValueOrDefault(Outcome.Conflict))));
        Assert.Equal(5, day.Sum(span => span.Counts.Values.Sum()));
        Assert.All(journal.Count(48, 30), span => Assert.Empty(span.Counts));
    }

    [Fact]
    public void A_flood_of_decisions_is_bounded_and_does_not_push_out_what_is_disputed()
    {
        var journal = new DecisionJournal(_clock);
        var disputed = TestOutput.PathOf("disputed");
        journal.Decided(disputed.Digest, disputed, Outcome.Conflict, "", Verdict(TestOutput.Make(), TestOutput.Make()));

        Decide(journal, Outcome.Undecided, 2000);
        var nameless = TestOutput.PathOf("nameless");
        journal.Decided(nameless.Digest, null, Outcome.NoUpstream, "", null);

        Assert.Equal(501, journal.List().Count);
        Assert.True(journal.Find(disputed.Digest)!.IsDisputed);
        Assert.Null(journal.Find(nameless.Digest));
    }

    [Fact]
    public void Who_speaks_after_the_decision_is_heard_still()
    {
        var (journal, path) = (new DecisionJournal(_clock), TestOutput.PathOf("late"));
        journal.Decided(path.Digest, path, Outcome.Agreed, "2 of 3 needed", Verdict(TestOutput.Make(), null));
        var version = journal.Version;

        journal.Settled(path.Digest, Verdict(TestOutput.Make(), TestOutput.Make()));

        Assert.True(journal.Find(path.Digest) is { Outcome: Outcome.Agreed, IsDisputed: true });
        Assert.True(journal.Version > version);
        Assert.Single(journal.List());
    }

    private static void Decide(DecisionJournal journal, Outcome outcome, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var path = TestOutput.PathOf("plain");
            journal.Decided(path.Digest, path, outcome, "", null);
        }
    }

    /// <summary>Two caches that have signed one output each; null for one that is silent.</summary>
    private static Verdict Verdict(TestOutput one, TestOutput? other)
    {
        var keys = new[] { "one", "other" }.ToDictionary(name => name, Nix.NixSecretKey.Generate);
        var electors = keys.Select(key => new Elector.Cache(key.Key, "operator", [key.Value.PublicKey])).ToList();
        Ballot Signed(string name, TestOutput output)
        {
            var narInfo = output.NarInfo();
            Assert.True(OutputClaim.TryReadSigned(narInfo with { Signatures = [keys[name].Sign(narInfo.Fingerprint)] },
                [keys[name].PublicKey], out var claim, out var signature));
            return new Ballot.Claimed(claim, new VoteProof.BySignature(signature));
        }

        var ballots = new Dictionary<string, Ballot>
        {
            ["one"] = Signed("one", one),
            ["other"] = other is null ? new Ballot.Silent(SilenceReason.NoAnswer) : Signed("other", other),
        };
        return new Policy(electors).Decide(one.Path, ballots);
    }
}
