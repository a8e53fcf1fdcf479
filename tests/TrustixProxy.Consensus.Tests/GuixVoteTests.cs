using System.Collections.Immutable;
using System.Text;
using TrustixProxy.Nix;

namespace TrustixProxy.Consensus.Tests;

/// <summary>Votes of caches that sign as GNU Guix does: what they prove, what is kept, and what can be verified offline.</summary>
public sealed class GuixVoteTests
{
    private static readonly Elector.Cache Alice = Farm("alice"), Bob = Farm("bob");

    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddYears(56);

    private static readonly Policy Both = new([Alice, Bob], quorum: 2) { Store = Store.Guix };

    [Fact]
    public void A_narinfo_is_a_vote_for_what_its_signed_part_says()
    {
        var (one, two) = (Vote(Alice, "hello.alice"), Vote(Bob, "hello.bob"));

        Assert.Equal(one.Claim, two.Claim);
        Assert.Equal("/gnu/store/k8scqbka0sbl2nm9bakwwnlxc8njwg7d-hello-1.0", one.Claim.Path.Absolute);
        Assert.IsType<Verdict.Agreed>(Both.Decide(one.Claim.Path, Ballots(one, two)));
        Assert.IsType<Verdict.Conflict>(
            Both.Decide(Vote(Alice, "odd.alice").Claim.Path, Ballots(Vote(Alice, "odd.alice"), Vote(Bob, "odd.bob"))));
    }

    [Theory]
    [InlineData("x-narhash-tampered")]
    [InlineData("x-narsize-tampered")]
    [InlineData("x-other-hash")]
    [InlineData("x-r-zero")]
    [InlineData("x-s-negated")]
    [InlineData("x-s-plus-n")]
    [InlineData("x-version-2")]
    [InlineData("x-no-signature")]
    [InlineData("hello.bob")]
    public void Without_a_valid_signature_of_its_own_key_it_is_none(string file) =>
        Assert.False(OutputClaim.TryReadSigned(NarInfo(file), Alice.Keys, out _, out _));

    [Fact]
    public void A_bundle_proves_the_decision_offline_and_no_byte_of_its_narinfos_can_change()
    {
        var bundle = Bundle(out var record);

        Assert.True(DecisionBundle.TryVerify(bundle, Both, out var read, out var verdict, out _));
        Assert.Equal(Outcome.Agreed, read.Outcome);
        Assert.Equal(record.Claim, verdict!.Granted);
        var text = Encoding.UTF8.GetString(bundle);
        (string, string)[] changes = [("NarSize: 29968", "NarSize: 29969"), ("References: l16r", "References: l17r"), ("1;bob;", "2;bob;")];
        foreach (var (good, bad) in changes)
        {
            Assert.Contains(good, text, StringComparison.Ordinal);
            Assert.False(DecisionBundle.TryVerify(
                Encoding.UTF8.GetBytes(text.Replace(good, bad, StringComparison.Ordinal)), Both, out _, out _, out _));
        }
    }

    [Fact]
    public void A_bundle_of_one_store_is_none_of_a_policy_for_the_other()
    {
        Assert.False(DecisionBundle.TryVerify(Bundle(out _), new Policy([Alice, Bob], quorum: 2), out _, out _, out var error));
        Assert.Equal(DecisionBundleError.Policy, error);
    }

    [Fact]
    public void A_sealed_record_keeps_the_store_the_votes_and_the_signed_text()
    {
        Bundle(out var record);
        var secret = NixSecretKey.FromSeed("ours-1", new byte[32]);
        var seal = new DecisionSeal(new RecordSeal(secret, []), Both);
        var other = new DecisionSeal(new RecordSeal(secret, []), new Policy([Alice, Bob], quorum: 2));
        var digest = record.Claim!.Path.Digest;

        Assert.True(seal.TryOpen(digest, seal.Seal(digest, record), out var opened, out _));
        Assert.Equal(record.Claim, opened.Claim);
        Assert.Equal(Store.Guix, opened.Hints!.Deriver!.Store);
        Assert.True(record.Ballots.Votes.SequenceEqual(opened.Ballots.Votes));
        Assert.True(record.Hints!.Signatures.SequenceEqual(opened.Hints.Signatures));
        Assert.False(other.TryOpen(digest, seal.Seal(digest, record), out _, out var error));
        Assert.Equal(DecisionSealError.Policy, error);
    }

    [Fact]
    public void The_store_is_part_of_the_identity_except_where_it_is_nixs()
    {
        Assert.Contains("\nstore /gnu/store\n", Both.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("store", new Policy([Make.Elector("alice")]).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_logs_claim_has_references_in_the_store_of_its_path()
    {
        static string Value(string store) => $$"""
            {"path":"/gnu/store/{{Make.TestPath}}","narHash":"{{Make.Claim(1).NarHash}}","narSize":1,
            "references":["{{store}}/{{Make.TestPath}}"]}
            """;
        Assert.True(StorePath.TryParseAbsolute($"/gnu/store/{Make.TestPath}", out var path, out _));

        Assert.NotEqual(Make.TestPath, path);
        Assert.True(OutputClaim.TryReadValue(Encoding.ASCII.GetBytes(Value("/gnu/store")), path, out var claim, out _));
        Assert.Equal(path, Assert.Single(claim.References));
        Assert.False(OutputClaim.TryReadValue(Encoding.ASCII.GetBytes(Value("/nix/store")), path, out _, out var error));
        Assert.Equal(OutputClaimError.References, error);
        Assert.False(OutputClaim.TryReadValue(Encoding.ASCII.GetBytes(Value("/gnu/store")), Make.TestPath, out _, out error));
        Assert.Equal(OutputClaimError.OtherPath, error);
        Assert.True(OutputClaim.TryReadFingerprint(Encoding.ASCII.GetBytes(claim.Fingerprint), path, out var same, out _));
        Assert.Equal(claim, same);
        Assert.False(OutputClaim.TryReadFingerprint(
            Encoding.ASCII.GetBytes(claim.Fingerprint.Replace(";1;/gnu", ";1;/nix", StringComparison.Ordinal)), path, out _, out error));
        Assert.Equal(OutputClaimError.References, error);
    }

    private static byte[] Bundle(out DecisionRecord record)
    {
        var (one, two) = (Vote(Alice, "hello.alice"), Vote(Bob, "hello.bob"));
        var verdict = Both.Decide(one.Claim.Path, Ballots(one, two));
        var narInfo = NarInfo("hello.alice");
        record = DecisionRecord.Of(
            verdict, new NarHints("none", one.Claim.NarHash, 29968, narInfo.Deriver, null, [narInfo.GuixSignature!], "alice"), Now);
        return DecisionBundle.Of(one.Claim.Path, record, verdict, Both).ToBytes();
    }

    private static Dictionary<string, Ballot> Ballots(Ballot alice, Ballot bob) => new() { ["alice"] = alice, ["bob"] = bob };

    private static Ballot.Claimed Vote(Elector.Cache farm, string file)
    {
        var narInfo = NarInfo(file);
        return OutputClaim.TryReadSigned(narInfo, farm.Keys, out var claim, out var signature)
            ? new Ballot.Claimed(claim, new VoteProof.BySignature(signature) { NarInfo = narInfo }) : throw new ArgumentException(file);
    }

    private static NarInfo NarInfo(string file) =>
        Nix.NarInfo.TryParse(File.ReadAllBytes($"Vectors/guix/{file}.narinfo"), Store.Guix, out var narInfo, out var error) ? narInfo
            : throw new ArgumentException($"{file}: {error}");

    private static Elector.Cache Farm(string name) =>
        GuixPublicKey.TryParse(File.ReadAllText($"Vectors/guix/{name}.pub"), out var key, out var error)
            ? new Elector.Cache(name, name, ImmutableArray.Create<CacheKey>(key)) : throw new ArgumentException($"{name}: {error}");
}
