using TrustixProxy.Consensus;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Evidence;
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
        journal.Decided(disputed.Digest, disputed, Outcome.Conflict, "", Verdict(TestOutput.Make(), TestOutput.Make()), default);

        Decide(journal, Outcome.Undecided, 2000);
        var nameless = TestOutput.PathOf("nameless");
        journal.Decided(nameless.Digest, null, Outcome.NoUpstream, "", null, default);

        Assert.Equal(501, journal.List().Count);
        Assert.True(journal.Find(disputed.Digest)!.IsDisputed);
        Assert.Null(journal.Find(nameless.Digest));
    }

    [Fact]
    public void Who_speaks_after_the_decision_is_heard_still()
    {
        var (journal, path) = (new DecisionJournal(_clock), TestOutput.PathOf("late"));
        journal.Decided(path.Digest, path, Outcome.Agreed, "2 of 3 needed", Verdict(TestOutput.Make(), null), default);
        var version = journal.Version;

        journal.Settled(path.Digest, Settlement(Verdict(TestOutput.Make(), TestOutput.Make())));

        Assert.True(journal.Find(path.Digest) is { Outcome: Outcome.Agreed, IsDisputed: true });
        Assert.True(journal.Version > version);
        Assert.Single(journal.List());
    }

    [Fact]
    public void Who_answers_after_an_early_answer_is_late_and_not_silent_and_who_was_not_waited_for_is_not_heard()
    {
        var (journal, path) = (new DecisionJournal(_clock), TestOutput.PathOf("early"));
        var output = TestOutput.Make();
        journal.Decided(path.Digest, path, Outcome.Agreed, "", Verdict(output, null, SilenceReason.NotHeard), default);
        Assert.Equal(["Proves", "NotHeard"], Kinds());

        journal.Settled(path.Digest, Settlement(Verdict(output, null)) with { IsHeardOut = false });
        Assert.Equal(["Proves", "NotHeard"], Kinds());
        Assert.Empty(journal.Find(path.Digest)!.Late);

        journal.Settled(path.Digest, Settlement(Verdict(output, output)) with
        {
            Latencies = new Dictionary<string, TimeSpan> { ["other"] = TimeSpan.FromMilliseconds(30) },
        });
        Assert.Equal(["Proves", "Proves"], Kinds());
        Assert.Equal("other", Assert.Single(journal.Find(path.Digest)!.Late));
        Assert.Equal(1, journal.Of("other").List()[^1].Took.Count);

        journal.Decided(path.Digest, path, Outcome.Agreed, "", Verdict(output, null, SilenceReason.NotHeard), default);
        journal.Settled(path.Digest, Settlement(Verdict(output, null)));
        Assert.Equal(["Proves", "Silent"], Kinds());
        Assert.Equal(1, journal.Of("other").List()[^1].Counts["silent"]);

        IEnumerable<string> Kinds() => journal.Find(path.Digest)!.Votes.Select(vote => vote.Kind.ToString());
    }

    [Fact]
    public void A_part_of_a_name_finds_a_path_long_after_its_decision_was_forgotten_and_names_are_bounded()
    {
        var (journal, names) = (new DecisionJournal(_clock), new DecidedNames());
        var (first, second) = (TestOutput.PathOf("firefox-1.0"), TestOutput.PathOf("libfirefox-2.0"));
        foreach (var path in new[] { first, second })
        {
            journal.Decided(path.Digest, path, Outcome.Agreed, "", null, default);
        }

        Decide(journal, Outcome.Agreed, 10_000);
        for (var i = 0; i <= DecidedNames.Most; i++)
        {
            names.Add(TestOutput.PathOf($"many-{i}"));
        }

        names.Restore(first);

        Assert.Null(journal.Find(first.Digest));
        Assert.Equal([first, second], journal.Names.Find("FIREfox", 10));
        Assert.Equal([second], journal.Names.Find(second.Digest.ToString()[..12], 10));
        Assert.Single(journal.Names.Find("fox", 1));
        Assert.Equal(DecidedNames.Most, names.Count);
        Assert.DoesNotContain(names.Find("many-0", 10), path => path.Name is "many-0");
        Assert.Empty(names.Find("firefox", 10));
    }

    private static Settlement Settlement(Verdict all) =>
        new(new PollResult.Refused(all.Outcome, "", null, all, IsSettled: true, WasCutShort: false), all, IsSettled: true, []);

    private static void Decide(DecisionJournal journal, Outcome outcome, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var path = TestOutput.PathOf("plain");
            journal.Decided(path.Digest, path, outcome, "", null, default);
        }
    }

    /// <summary>Two caches that have signed one output each; null for one that is silent.</summary>
    private static Verdict Verdict(TestOutput one, TestOutput? other, SilenceReason reason = SilenceReason.NoAnswer)
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
            ["other"] = other is null ? new Ballot.Silent(reason) : Signed("other", other),
        };
        return new Policy(electors).Decide(one.Path, ballots);
    }
}
