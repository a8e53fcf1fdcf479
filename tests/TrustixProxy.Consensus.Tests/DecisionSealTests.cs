using TrustixProxy.Nix;
using static TrustixProxy.Consensus.Tests.Make;

namespace TrustixProxy.Consensus.Tests;

public sealed class DecisionSealTests
{
    private static readonly NixSecretKey Key = NixSecretKey.Generate("seal-1");
    private static readonly Policy Policy = new([Elector("alice"), Elector("bob"), Elector("carol")]);
    private static readonly DecisionSeal Seal = new(new RecordSeal(Key, []), Policy);
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void A_record_comes_back_as_it_was()
    {
        var record = Agreement();

        Assert.True(Seal.TryOpen(TestPath.Digest, Seal.Seal(TestPath.Digest, record), out var opened, out _));

        Assert.Equal((Outcome.Agreed, record.Sentence, Now, record.Claim),
            (opened.Outcome, opened.Sentence, opened.DecidedAt, opened.Claim));
        Assert.Equal(
            [new Vote("alice", Claim(1), new VotePosition(1, 10, null, true), null), new Vote("bob", Claim(1),
                new VotePosition(1, 10, null, true), null), new Vote("carol", Claim(2), new VotePosition(2, 10, null, true), null)],
            opened.Ballots.Votes.ToArray());
        Assert.Empty(opened.Ballots.NotHeard);
        Assert.Equal(record.Hints! with { Signatures = default }, opened.Hints! with { Signatures = default });
        Assert.Equal(Now + TimeSpan.FromDays(30), opened.ExpiresAt);
    }

    [Fact]
    public void A_refusal_comes_back_too_and_lives_a_minute()
    {
        var record = DecisionRecord.Refusal(Outcome.Conflict, "the reason", Now);

        Assert.True(Seal.TryOpen(TestPath.Digest, Seal.Seal(TestPath.Digest, record), out var opened, out _));
        Assert.Equal((Outcome.Conflict, "the reason", Now, null), (opened.Outcome, opened.Sentence, opened.DecidedAt, opened.Claim));
        Assert.Equal(Now + TimeSpan.FromSeconds(60), opened.ExpiresAt);
    }

    [Fact]
    public void No_byte_can_be_changed_cut_or_added()
    {
        var bytes = Seal.Seal(TestPath.Digest, Agreement());
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 1;
            Assert.False(Seal.TryOpen(TestPath.Digest, bytes, out _, out var error));
            Assert.Equal(DecisionSealError.Mac, error);
            bytes[i] ^= 1;
            Assert.False(Seal.TryOpen(TestPath.Digest, bytes.AsSpan(0, i), out _, out _));
        }

        Assert.False(Seal.TryOpen(TestPath.Digest, [.. bytes, 0], out _, out _));
    }

    [Fact]
    public void A_record_under_another_path_of_another_key_or_of_another_policy_is_a_miss()
    {
        var bytes = Seal.Seal(TestPath.Digest, Agreement());

        Assert.False(Seal.TryOpen(PathOf("0jqd0rlxzra1rs38rdxl43yh6rxchgc6-a").Digest, bytes, out _, out var error));
        Assert.Equal(DecisionSealError.Mac, error);
        Assert.False(new DecisionSeal(new RecordSeal(NixSecretKey.Generate("seal-1"), []), Policy)
            .TryOpen(TestPath.Digest, bytes, out _, out error));
        Assert.Equal(DecisionSealError.Mac, error);
        Assert.False(new DecisionSeal(new RecordSeal(Key, []), new Policy(Policy.Electors, quorum: 3))
            .TryOpen(TestPath.Digest, bytes, out _, out error));
        Assert.Equal(DecisionSealError.Policy, error);
    }

    [Fact]
    public void A_previous_key_is_believed_and_seals_nothing()
    {
        var (old, rotated) = (
            NixSecretKey.Generate("seal-1"), new RecordSeal(NixSecretKey.Generate("seal-2"), [NixSecretKey.Generate("seal-0")]));
        var both = new RecordSeal(NixSecretKey.Generate("seal-2"), [NixSecretKey.Generate("seal-0"), old]);
        var bytes = new RecordSeal(old, []).Seal("kind", "name", "body"u8);

        Assert.True(both.TryOpen("kind", "name", bytes, out var body));
        Assert.Equal("body"u8.ToArray(), body.ToArray());
        Assert.False(rotated.TryOpen("kind", "name", bytes, out _));
        Assert.False(new RecordSeal(old, []).TryOpen("kind", "name", both.Seal("kind", "name", "body"u8), out _));
    }

    [Fact]
    public void A_record_of_another_kind_or_name_is_none()
    {
        var seal = new RecordSeal(Key, []);
        var bytes = seal.Seal("kind", "name", []);

        Assert.True(seal.TryOpen("kind", "name", bytes, out _));
        Assert.False(seal.TryOpen("kin", "name", bytes, out _));
        Assert.False(seal.TryOpen("kind", "names", bytes, out _));
        Assert.False(seal.TryOpen("kind", "name", bytes.AsSpan(1), out _));
        Assert.False(seal.TryOpen("kind", "name", [], out _));
    }

    private static DecisionRecord Agreement()
    {
        var verdict = Policy.Decide(TestPath, Ballots(("alice", Vote(1)), ("bob", Vote(1)), ("carol", Vote(2))));
        return DecisionRecord.Of(verdict, Hints(verdict.Granted!), Now);
    }
}
