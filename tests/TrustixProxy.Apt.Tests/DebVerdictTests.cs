using TrustixProxy.Consensus;
using TrustixProxy.TransparencyLog;
using static TrustixProxy.Apt.Tests.Make;

namespace TrustixProxy.Apt.Tests;

/// <summary>What rebuilders' answers come to.</summary>
public sealed class DebVerdictTests
{
    private static readonly TestRebuilder Alice = new("alice"), Bob = new("bob"), Carol = new("carol");

    private static readonly DateTimeOffset Now = new(2026, 11, 30, 0, 0, 0, TimeSpan.Zero);

    private static readonly DebBallot Bad = new DebBallot.Bad(), Unknown = new DebBallot.Unknown(),
        Out = new DebBallot.Silent(SilenceReason.Unreachable);

    private static readonly Policy Both = new([Alice.Elector, Bob.Elector], quorum: 2);
    private static readonly Policy Majority = new([Alice.Elector, Bob.Elector, Carol.Elector]);

    [Fact]
    public void A_quorum_of_links_grants_the_file()
    {
        var verdict = Decide(Both, ("alice", Alice.Vote(Hello)), ("bob", Bob.Vote(Hello)));

        Assert.Equal((Outcome.Agreed, true, false), (verdict.Outcome, verdict.IsGranted, verdict.MayChange));
        Assert.Equal("2 of 2 needed: alice=good, bob=good", verdict.Sentence);
    }

    [Fact]
    public void A_bad_build_is_shown_and_counts_for_nothing()
    {
        var refused = Decide(Both, ("alice", Alice.Vote(Hello)), ("bob", Bad));
        var outvoted = Decide(Majority, ("alice", Alice.Vote(Hello)), ("bob", Bad), ("carol", Carol.Vote(Hello)));
        var vetoed = Decide(
            new Policy(Majority.Electors, Majority.Rest.Rule, Dissent.Veto), ("alice", Alice.Vote(Hello)), ("bob", Bad),
            ("carol", Carol.Vote(Hello)));

        Assert.Equal((Outcome.Undecided, false), (refused.Outcome, refused.MayChange));
        Assert.Equal("2 of 2 needed: alice=good, bob=bad", refused.Sentence);
        Assert.Equal("Refused by policy: 1 of 2 rebuilders (alice: good, bob: bad), 2 of 2 needed", refused.Reason);
        Assert.Equal((Outcome.Agreed, Outcome.Agreed), (outvoted.Outcome, vetoed.Outcome));
    }

    [Fact]
    public void A_link_for_another_content_is_a_proven_dissent()
    {
        var outvoted = Decide(Majority, ("alice", Alice.Vote(Hello)), ("bob", Bob.Vote(Hello, other: 2)), ("carol", Carol.Vote(Hello)));
        var vetoed = Decide(
            new Policy(Majority.Electors, Majority.Rest.Rule, Dissent.Veto), ("alice", Alice.Vote(Hello)),
            ("bob", Bob.Vote(Hello, other: 2)), ("carol", Carol.Vote(Hello)));
        var two = Decide(
            new Policy(Both.Electors, quorum: 1), ("alice", Alice.Vote(Hello)), ("bob", Bob.Vote(Hello, other: 2)));

        Assert.Equal((Outcome.Agreed, Outcome.Conflict, Outcome.Conflict), (outvoted.Outcome, vetoed.Outcome, two.Outcome));
        Assert.Contains($"bob=claims sha256:{DigestOf(2)}", vetoed.Sentence, StringComparison.Ordinal);
        Assert.Contains("bob: other file", vetoed.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_quorum_grants_is_its_own_file_and_no_other()
    {
        var verdict = Decide(Both, ("alice", Alice.Vote(Hello, other: 2)), ("bob", Bob.Vote(Hello, other: 2)));

        Assert.Equal((Outcome.Conflict, false), (verdict.Outcome, verdict.IsGranted));
        Assert.Equal(Outcome.Agreed, DebVerdict.Decide(Both, Asked("hello_2.10-3_amd64.deb", 2),
            verdict.Answers.ToDictionary(answer => answer.Elector.Name, answer => answer.Ballot), Now).Outcome);
    }

    [Fact]
    public void An_operator_has_one_vote()
    {
        var second = new TestRebuilder("alice-2", by: "alice");
        var policy = new Policy([Alice.Elector, second.Elector, Bob.Elector], quorum: 2);

        var verdict = Decide(policy, ("alice", Alice.Vote(Hello)), ("alice-2", second.Vote(Hello)), ("bob", Unknown));

        Assert.Equal(Outcome.Undecided, verdict.Outcome);
        Assert.StartsWith("Refused by policy: 1 of 2 rebuilders (alice: good, alice-2: good, bob: unknown)", verdict.Reason,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_scope_goes_by_the_package_in_the_file_name()
    {
        var policy = new Policy([Alice.Elector, Bob.Elector], quorum: 2)
        {
            Scopes = [new Scope("linux-image-*", new Rule(1, ["alice", "bob"]), Dissent.Outvoted)],
        };
        var kernel = Asked("linux-image-6.12-amd64_6.12.1-1_amd64.deb", 3);

        Assert.Equal(Outcome.Undecided, Decide(policy, ("alice", Alice.Vote(Hello)), ("bob", Bad)).Outcome);
        Assert.Equal(Outcome.Agreed, DebVerdict.Decide(policy, kernel, Ballots(("alice", Alice.Vote(kernel)), ("bob", Bad)), Now).Outcome);
    }

    public static TheoryData<string, Outcome, string> Excepting => new()
    {
        { "archive", Outcome.Excepted, "; excepted: 'hel*' accepts archive until 2026-12-01T00:00:00Z (known)" },
        { "file", Outcome.Excepted, $"; excepted: 'hel*' accepts sha256:{DigestOf(1)} until 2026-12-01T00:00:00Z (known)" },
        { "other file", Outcome.Undecided,
            $"; the exception 'hel*' accepts sha256:{DigestOf(2)} until 2026-12-01T00:00:00Z (known) does not take this file" },
        { "alice", Outcome.Excepted, "; excepted: 'hel*' accepts rebuilder:alice until 2026-12-01T00:00:00Z (known)" },
        { "bob", Outcome.Undecided,
            "; the exception 'hel*' accepts rebuilder:bob until 2026-12-01T00:00:00Z (known) does not take this file" },
        { "expired", Outcome.Undecided, "; expired: the exception 'hel*' accepts archive until 2026-11-29T00:00:00Z (known)" },
        { "other name", Outcome.Undecided, "" },
    };

    [Theory]
    [MemberData(nameof(Excepting))]
    public void An_exception_takes_what_it_names_until_it_ends(string kind, Outcome expected, string note)
    {
        var end = Now.AddDays(1);
        var policy = With(Both, kind switch
        {
            "archive" => PolicyException.OfArchive("hel*", "known", end),
            "file" => PolicyException.OfFile("hel*", DigestOf(1), "known", end),
            "other file" => PolicyException.OfFile("hel*", DigestOf(2), "known", end),
            "expired" => PolicyException.OfArchive("hel*", "known", Now.AddDays(-1)),
            "other name" => PolicyException.OfArchive("hel", "known", end),
            _ => PolicyException.OfRebuilder("hel*", kind, "known", end),
        });

        var verdict = Decide(policy, ("alice", Alice.Vote(Hello)), ("bob", Bad));

        Assert.Equal((expected, expected is Outcome.Excepted), (verdict.Outcome, verdict.Exception is not null));
        Assert.Equal($"2 of 2 needed: alice=good, bob=bad{note}", verdict.Sentence);
        Assert.NotEqual(Both.Identity, policy.Identity);
    }

    [Fact]
    public void In_report_mode_everything_is_served_and_the_reason_says_what_enforcing_would_do()
    {
        var policy = new Policy(Both.Electors, Both.Rest.Rule) { Fallback = "archive" };

        var verdict = Decide(policy, ("alice", Alice.Vote(Hello)), ("bob", Bad));

        Assert.Equal((Outcome.Report, true), (verdict.Outcome, verdict.IsGranted));
        Assert.Equal("2 of 2 needed: alice=good, bob=bad; report mode: enforcing would refuse", verdict.Sentence);
        Assert.Equal(Outcome.Agreed, Decide(policy, ("alice", Alice.Vote(Hello)), ("bob", Bob.Vote(Hello))).Outcome);
    }

    [Fact]
    public void Only_silence_that_could_have_been_a_vote_leaves_a_refusal_open()
    {
        Assert.True(Decide(Both, ("alice", Alice.Vote(Hello)), ("bob", Out)).MayChange);
        Assert.True(Decide(Both).MayChange);
        Assert.True(Decide(Majority, ("alice", Bad), ("bob", Out), ("carol", Out)).MayChange);
        Assert.False(Decide(Majority, ("alice", Bad), ("bob", Unknown), ("carol", Out)).MayChange);
        Assert.False(Decide(Both, ("alice", Alice.Vote(Hello)), ("bob", Refused(Bob, Alice))).MayChange);
        Assert.False(Decide(Both, ("alice", Alice.Vote(Hello)), ("bob", Unknown)).MayChange);
        var policy = With(Both, PolicyException.OfRebuilder("hello", "bob", "known", Now.AddDays(1)));
        Assert.True(Decide(policy, ("alice", Bad), ("bob", Out)).MayChange);
        Assert.StartsWith("Undecided by policy: 1 of 2 rebuilders (alice: good, bob: unreachable)",
            Decide(Both, ("alice", Alice.Vote(Hello)), ("bob", Out)).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void An_early_verdict_waits_for_the_rebuilder_of_an_exception_and_for_no_other_exception()
    {
        var veto = new Policy(Majority.Electors, Majority.Rest.Rule, Dissent.Veto);
        var (byCarol, byArchive) = (With(veto, PolicyException.OfRebuilder("hello", "carol", "known", Now.AddDays(1))),
            With(veto, PolicyException.OfArchive("hello", "known", Now.AddDays(1))));
        var early = Ballots(("alice", Alice.Vote(Hello)), ("bob", Bob.Vote(Hello, other: 2)));

        Assert.False(DebVerdict.TryDecide(byCarol, Hello, early, Now, out _));
        Assert.True(DebVerdict.TryDecide(byArchive, Hello, early, Now, out var excepted));
        Assert.True(DebVerdict.TryDecide(veto, Hello, early, Now, out var refused));
        Assert.Equal((Outcome.Excepted, Outcome.Conflict, false), (excepted.Outcome, refused.Outcome, refused.MayChange));
        early["carol"] = Carol.Vote(Hello);
        Assert.Equal(Outcome.Excepted, DebVerdict.Decide(byCarol, Hello, early, Now).Outcome);
    }

    [Fact]
    public void An_agreement_is_given_early_and_says_who_was_not_heard()
    {
        var agreed = Ballots(("alice", Alice.Vote(Hello)), ("bob", Bob.Vote(Hello)));

        Assert.True(DebVerdict.TryDecide(Majority, Hello, agreed, Now, out var verdict));
        Assert.Equal("2 of 3 needed: alice=good, bob=good, carol=silent(not-heard)", verdict.Sentence);
        agreed.Remove("bob");
        Assert.False(DebVerdict.TryDecide(Majority, Hello, agreed, Now, out _));
    }

    [Fact]
    public void A_reason_is_one_short_line_of_ascii()
    {
        var many = Enumerable.Range(0, 40).Select(i => new TestRebuilder($"größe\r\n{i}")).ToList();
        var policy = new Policy(many.Select(rebuilder => rebuilder.Elector));

        var reason = Decide(policy).Reason;

        Assert.Equal(200, reason.Length);
        Assert.DoesNotContain(reason, character => character is < ' ' or > '~');
        Assert.StartsWith("Undecided by policy: 0 of 40 rebuilders (gr??e??0: no-answer, ", reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LinkError.OtherFile, SilenceReason.ClaimOfOtherPath, "silent(link-of-other-file)")]
    [InlineData(LinkError.Signature, SilenceReason.NoSignature, "silent(no-signature)")]
    [InlineData(LinkError.Json, SilenceReason.ClaimMalformed, "silent(claim-malformed)")]
    [InlineData(LinkError.TooLarge, SilenceReason.TooLarge, "silent(too-large)")]
    public void A_link_that_is_no_vote_is_an_answer_with_its_reason(LinkError error, SilenceReason reason, string word)
    {
        var ballot = error switch
        {
            LinkError.OtherFile => DebBallot.Of(Alice.Link("x_1_all.deb", Hello.Sha256), Alice.Elector, Hello.File),
            LinkError.Signature => Refused(Alice, Bob),
            LinkError.Json => DebBallot.Of("<html>"u8.ToArray(), Alice.Elector, Hello.File),
            _ => DebBallot.Of(new byte[RebuildLink.MaxSize + 1], Alice.Elector, Hello.File),
        };

        Assert.Equal(new DebBallot.Silent(reason) { IsAnswer = true }, ballot);
        Assert.Equal($"2 of 2 needed: alice={word}, bob=good", Decide(Both, ("alice", ballot), ("bob", Bob.Vote(Hello))).Sentence);
    }

    [Fact]
    public void A_rebuilder_that_the_rule_does_not_count_is_shown_as_such()
    {
        var policy = new Policy([Alice.Elector, Bob.Elector], new Rule(1, ["alice"]));

        var verdict = Decide(policy, ("alice", Unknown), ("bob", Bob.Vote(Hello)));

        Assert.Equal("1 of 1 needed: alice=unknown, bob=good(not counted)", verdict.Sentence);
        Assert.StartsWith("Refused by policy: 0 of 1 rebuilders", verdict.Reason, StringComparison.Ordinal);
    }

    /// <summary>What a rebuilder's answer comes to that another one's key has signed.</summary>
    private static DebBallot Refused(TestRebuilder rebuilder, TestRebuilder signer) =>
        DebBallot.Of(signer.Link(Hello.File.FileName, Hello.Sha256), rebuilder.Elector, Hello.File);

    private static DebVerdict Decide(Policy policy, params (string, DebBallot)[] ballots) =>
        DebVerdict.Decide(policy, Hello, Ballots(ballots), Now);

    private static Dictionary<string, DebBallot> Ballots(params (string Elector, DebBallot Ballot)[] ballots) =>
        ballots.ToDictionary(item => item.Elector, item => item.Ballot);

    private static Policy With(Policy policy, PolicyException exception) =>
        new(policy.Electors, policy.Rest.Rule, policy.Rest.Dissent) { Exceptions = [exception] };
}
