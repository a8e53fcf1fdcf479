using System.Text;
using TrustixProxy.Nix;
using static TrustixProxy.Consensus.Tests.Make;

namespace TrustixProxy.Consensus.Tests;

/// <summary>Build traces are decided by the policy that decides on paths; a vote is a signed trace.</summary>
public sealed class TraceVoteTests
{
    private const string OneOfOnes = "g3mvg9q2slaizvvc5jsr2azpgmjph5r7-";

    private static readonly TraceKey Old = KeyOf($"realisations/sha256:{new string('a', 64)}!out.doi"),
        New = KeyOf($"build-trace-v2/{OneOfOnes}src.drv/out.doi");

    private static readonly Policy TwoOfThree = new([Elector("alice"), Elector("bob"), Elector("carol")]);

    [Fact]
    public void A_quorum_agrees_and_the_dissenter_is_told()
    {
        Assert.True(TwoOfThree.TryDecide(Old, Ballots(("alice", Vote(0)), ("bob", Vote(0)), ("carol", Vote(1))), out var verdict));

        Assert.Equal((Outcome.Agreed, Claim(0)), (verdict.Outcome, verdict.Granted));
        Assert.Equal($"2 of 3 needed: alice={Path(0)}, bob={Path(0)}, carol={Path(1)}", verdict.Sentence);
    }

    [Fact]
    public void Two_signed_traces_that_differ_are_a_conflict_that_shows_both()
    {
        Assert.True(TwoOfThree.TryDecide(
            Old, Ballots(("alice", Vote(0)), ("bob", Vote(1)), ("carol", TraceBallot.NoElector)), out var verdict));

        Assert.Equal((Outcome.Conflict, null), (verdict.Outcome, verdict.Granted));
        Assert.Equal($"2 of 3 needed: alice={Path(0)}, bob={Path(1)}, carol=silent(signs no build traces)", verdict.Sentence);
    }

    [Fact]
    public void Electors_that_sign_no_traces_still_count_towards_the_majority()
    {
        Assert.True(TwoOfThree.TryDecide(
            New, Ballots(("alice", Vote(0)), ("bob", TraceBallot.NoElector), ("carol", TraceBallot.Absent)), out var verdict));

        Assert.Equal((Outcome.Undecided, null), (verdict.Outcome, verdict.Granted));
    }

    [Fact]
    public void It_is_open_while_an_answer_could_change_it_and_closed_when_none_can()
    {
        Assert.False(TwoOfThree.TryDecide(Old, Ballots(), out _));
        Assert.False(TwoOfThree.TryDecide(Old, Ballots(("alice", Vote(0))), out _));
        Assert.False(TwoOfThree.TryDecide(Old, Ballots(("alice", Vote(0)), ("bob", Vote(1))), out _));
        Assert.True(TwoOfThree.TryDecide(Old, Ballots(("alice", Vote(0)), ("bob", Vote(0))), out var verdict));
        Assert.Contains("carol=silent(not-heard)", verdict.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void Under_veto_one_other_trace_refuses()
    {
        var policy = new Policy([Elector("alice"), Elector("bob"), Elector("carol")], dissent: Dissent.Veto);

        Assert.False(policy.TryDecide(Old, Ballots(("alice", Vote(0)), ("bob", Vote(0))), out _));
        Assert.True(policy.TryDecide(Old, Ballots(("alice", Vote(0)), ("bob", Vote(0)), ("carol", Vote(1))), out var verdict));
        Assert.Equal(Outcome.Conflict, verdict.Outcome);
    }

    [Fact]
    public void An_operator_has_one_vote()
    {
        var policy = new Policy([Elector("a1", "a"), Elector("a2", "a"), Elector("b")], quorum: 2);

        Assert.True(policy.TryDecide(
            Old, Ballots(("a1", Vote(0)), ("a2", Vote(0)), ("b", TraceBallot.Absent)), out var verdict));
        Assert.Equal(Outcome.Undecided, verdict.Outcome);
    }

    /// <summary>A hash does not tell what is built: an elector that a lax rule trusts for some names must not decide on others.</summary>
    [Fact]
    public void The_rule_of_every_scope_must_grant_what_a_hash_is_asked_for()
    {
        var policy = Scoped();
        var ballots = Ballots(("alice", Vote(0)), ("bob", TraceBallot.Absent), ("carol", TraceBallot.Absent));

        Assert.True(policy.TryDecide(Old, ballots, out var hidden));
        Assert.True(policy.TryDecide(New, ballots, out var named));

        Assert.Equal(Outcome.Undecided, hidden.Outcome);
        Assert.Equal(Outcome.Agreed, named.Outcome);
    }

    [Fact]
    public void Scopes_that_grant_different_traces_are_a_conflict()
    {
        var policy = Scoped();

        Assert.True(policy.TryDecide(Old, Ballots(("alice", Vote(0)), ("bob", Vote(1)), ("carol", Vote(1))), out var verdict));

        Assert.Equal((Outcome.Conflict, null), (verdict.Outcome, verdict.Granted));
    }

    [Fact]
    public void No_trace_has_an_age_that_a_policy_demands()
    {
        var policy = new Policy([Elector("alice"), Elector("bob")], quorum: 1) { MinimumAge = TimeSpan.FromDays(1) };

        Assert.True(policy.TryDecide(Old, Ballots(("alice", Vote(0)), ("bob", Vote(0))), out var verdict));
        Assert.Equal(Outcome.Undecided, verdict.Outcome);
        Assert.Contains("the quorum lacks votes that their logs have held for", verdict.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_a_signature_by_the_electors_own_key_makes_a_vote()
    {
        var (own, other) = (NixSecretKey.Generate("cache-1"), NixSecretKey.Generate("cache-1"));
        var elector = new Elector.Cache("cache", "cache", [own.PublicKey]);

        Assert.True(TraceClaim.TryReadSigned(Signed(Old, own), elector, out var claim));
        Assert.Equal(Claim(0), claim);
        Assert.False(TraceClaim.TryReadSigned(Signed(Old, other), elector, out _));
        Assert.False(TraceClaim.TryReadSigned(Signed(Old, NixSecretKey.Generate("cache-2")), elector, out _));
    }

    [Fact]
    public void A_signature_of_another_output_or_path_is_none()
    {
        var key = NixSecretKey.Generate("cache-1");
        var elector = new Elector.Cache("cache", "cache", [key.PublicKey]);
        var text = BuildTrace.Write(Old, Path(0), key);
        var dev = KeyOf($"realisations/sha256:{new string('a', 64)}!dev.doi");

        Assert.True(BuildTrace.TryParse(dev, Bytes(text.Replace("!out", "!dev", StringComparison.Ordinal)), out var ofDev));
        Assert.True(BuildTrace.TryParse(Old, Bytes(text.Replace($"{Path(0)}", $"{Path(1)}", StringComparison.Ordinal)), out var elsewhere));

        Assert.False(TraceClaim.TryReadSigned(ofDev, elector, out _));
        Assert.False(TraceClaim.TryReadSigned(elsewhere, elector, out _));
    }

    [Fact]
    public void A_kept_record_comes_back_and_no_byte_of_it_can_be_changed()
    {
        var now = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        var seal = new TraceSeal(new RecordSeal(NixSecretKey.FromSeed("seal-1", new byte[32]), []), TwoOfThree);
        TwoOfThree.TryDecide(Old, Ballots(("alice", Vote(0)), ("bob", Vote(0))), out var verdict);
        var bytes = seal.Seal(TraceRecord.Of(verdict!, now));

        Assert.True(seal.TryOpen(Old, bytes, out var record));
        Assert.Equal((Old, Path(0), now, now + TimeSpan.FromDays(30)), (record.Key, record.OutPath, record.DecidedAt, record.ExpiresAt));
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 1;
            Assert.False(seal.TryOpen(Old, bytes, out _));
            bytes[i] ^= 1;
        }
    }

    [Fact]
    public void A_record_of_another_output_policy_or_kind_is_a_miss()
    {
        var records = new RecordSeal(NixSecretKey.FromSeed("seal-1", new byte[32]), []);
        var seal = new TraceSeal(records, TwoOfThree);
        TwoOfThree.TryDecide(Old, Ballots(("alice", Vote(0)), ("bob", Vote(0))), out var verdict);
        var bytes = seal.Seal(TraceRecord.Of(verdict!, DateTimeOffset.UnixEpoch));

        Assert.False(seal.TryOpen(New, bytes, out _));
        Assert.False(new TraceSeal(records, Scoped()).TryOpen(Old, bytes, out _));
        Assert.True(records.TryOpen("build-trace", Old.Text, bytes, out var body));
        Assert.False(seal.TryOpen(Old, records.Seal("decision", Old.Text, body), out _));
    }

    /// <summary>Alice alone suffices for <c>src</c>; all else needs two.</summary>
    private static Policy Scoped() => new([Elector("alice"), Elector("bob"), Elector("carol")])
    {
        Scopes = [new Scope("src", new Rule(1, ["alice"]), Dissent.Outvoted)],
    };

    private static TraceKey KeyOf(string address) => TraceKey.TryParse(address, out var key) ? key : throw new ArgumentException(address);

    private static StorePath Path(int number) => PathOf($"{number}{OneOfOnes[1..]}src");

    private static TraceClaim Claim(int number) => new(Old, Path(number));

    private static TraceBallot Vote(int number) => new(Claim(number));

    private static Dictionary<string, TraceBallot> Ballots(params (string Elector, TraceBallot Ballot)[] ballots) =>
        ballots.ToDictionary(item => item.Elector, item => item.Ballot);

    private static BuildTrace Signed(TraceKey key, NixSecretKey signer) =>
        BuildTrace.TryParse(key, Bytes(BuildTrace.Write(key, Path(0), signer)), out var trace) ? trace
            : throw new InvalidOperationException();

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
