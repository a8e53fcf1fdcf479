using FsCheck;
using FsCheck.Fluent;
using TrustixProxy.Nix;
using static TrustixProxy.Consensus.Tests.Make;

namespace TrustixProxy.Consensus.Tests;

/// <summary>Which of several names of one digest is granted.</summary>
public sealed class NameChoiceTests
{
    private static readonly StorePath Other = PathOf($"{TestPath.Digest}-loose");
    private static readonly Policy Policy = new([Elector("alice"), Elector("bob"), Elector("carol")])
    {
        Scopes = [
        new Scope("loose", new Rule(1, ["alice", "bob", "carol"]), Dissent.Outvoted)]
    };

    [Fact]
    public void Two_granted_names_are_a_conflict_and_neither_is_granted()
    {
        var choice = NameChoice.Of([Named(TestPath, Agreed(TestPath)), Named(Other, Agreed(Other))]);

        Assert.Null(choice.Granted);
        Assert.False(choice.IsOpen);
        Assert.Equal(2, choice.Contested.Length);
        Assert.StartsWith($"2 names of one digest are granted: {Other} (1 of 3 needed", choice.Sentence, StringComparison.Ordinal);
        Assert.Contains($"; {TestPath} (2 of 3 needed", choice.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_granted_name_waits_for_another_one_only_while_that_may_be_granted()
    {
        var granted = Named(TestPath, Agreed(TestPath));

        Assert.NotNull(NameChoice.Of([granted]).Granted);
        Assert.NotNull(NameChoice.Of([granted, Named(Other, Refused(Other))]).Granted);
        Assert.True(NameChoice.Of([new NameVerdict(Other, null, MayBeGranted: true), granted]) is { IsOpen: true, Granted: null });
        Assert.True(NameChoice.Of([new NameVerdict(Other, null, MayBeGranted: false), granted]) is { IsOpen: false, Granted: not null });
        Assert.True(NameChoice.Of([new NameVerdict(Other, null, MayBeGranted: true)]) is { IsOpen: false, Granted: null });
    }

    [Fact]
    public void A_name_is_granted_only_where_it_alone_is_in_whatever_order_the_names_stand() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000), Prop.ForAll((int seed) =>
    {
        var random = new Random(seed);
        var names = Enumerable.Range(0, random.Next(1, 5)).Select(
            i => PathOf($"{TestPath.Digest}-{(random.Next(2) is 0 ? "loose" : "name")}{(i is 0 ? "" : i)}")).DistinctBy(path => path.Name)
            .Select(path => random.Next(4) switch
            {
                0 => new NameVerdict(path, null, random.Next(2) is 0),
                1 => Named(path, Refused(path)),
                _ => Named(path, Agreed(path))
            }).ToArray();
        var choice = NameChoice.Of(names);
        random.Shuffle(names);
        var (again, granted) = (NameChoice.Of(names), names.Count(name => name.Verdict?.Granted is not null));
        var mayGrow = names.Any(name => name is { Verdict: null, MayBeGranted: true });
        return choice.Granted == again.Granted && choice.IsOpen == again.IsOpen && choice.Contested.Length == again.Contested.Length
            && choice.Granted is not null == (granted is 1 && !mayGrow) && choice.IsOpen == (granted is 1 && mayGrow)
                && choice.Contested.Length == (granted > 1 ? granted : 0);
    }));

    private static NameVerdict Named(StorePath path, Verdict verdict) => new(path, verdict, MayBeGranted: false);

    private static Verdict Agreed(StorePath path) => Policy.Decide(path, Ballots(("alice", VoteFor(path)), ("bob", VoteFor(path))));

    private static Verdict Refused(StorePath path) => Policy.Decide(path, Ballots(("alice", Absent)));

    private static Ballot.Claimed VoteFor(StorePath path) =>
        new(new OutputClaim(path, new NarHash(Claim(1).NarHash), 100, []), new VoteProof.ByLog(1, 10, IsTied: true));
}
