using Google.Protobuf;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;
using static TrustixProxy.Consensus.Tests.Make;
using LogSigner = TrustixProxy.TransparencyLog.LogSigner;

namespace TrustixProxy.Consensus.Tests;

/// <summary>What is granted beside a plain quorum: groups, exceptions, signed caches, content addresses; and the bundles that show
/// it.</summary>
public sealed class GrantTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private static readonly NixSecretKey CacheKey = NixSecretKey.Generate("cache-1");
    private static readonly LogSigner Signer = new(new byte[32]);
    private static readonly Elector.Cache Cache = new("cache", "cache", [CacheKey.PublicKey]);

    [Fact]
    public void A_group_counts_as_one_member_however_many_of_it_agree()
    {
        var policy = new Policy([Elector("a"), Elector("b"), Elector("c")], new Rule(2, ["a"], [new Rule(1, ["b", "c"])]));

        Assert.IsType<Verdict.Undecided>(policy.Decide(TestPath, Ballots(("b", Vote(1)), ("c", Vote(1)))));
        Assert.IsType<Verdict.Agreed>(policy.Decide(TestPath, Ballots(("a", Vote(1)), ("c", Vote(1)))));
        Assert.Equal("2 of (1 of (b, c), a)".Length, policy.Rest.Rule.ToString().Length);
        Assert.False(policy.Rest.Rule.CanSplit);
        Assert.True(new Rule(1, ["a", "b"]).CanSplit);
        Assert.Equal((3, 2), (Rule.Percent(66.7m, 3), Rule.Percent(66.6m, 3)));
        Assert.True(policy.CanReachQuorum(TestPath, Ballots(("a", Vote(1)))));
        Assert.False(policy.CanReachQuorum(TestPath, Ballots(("a", Absent))));
    }

    [Fact]
    public void An_exception_grants_the_one_claim_that_it_names_until_it_expires()
    {
        var exception = new PolicyException("src", null, Claim(1).NarHash, "known", Now.AddDays(1));
        var policy = new Policy([Elector("a"), Elector("b"), Elector("c")]) { Exceptions = [exception] };
        var refusal = policy.Decide(TestPath, Ballots(("a", Vote(1)), ("b", Vote(2)), ("c", Absent)));

        var excepted = Assert.IsType<Verdict.Excepted>(policy.Except(TestPath, refusal, Now));
        Assert.Equal((Claim(1), Outcome.Excepted), (excepted.Granted, excepted.Outcome));
        Assert.Contains("(known)", excepted.Sentence, StringComparison.Ordinal);
        Assert.Equal(Now.AddDays(1), DecisionRecord.Of(excepted, Hints(Claim(1)), Now).ExpiresAt);
        Assert.Contains("; expired: the exception", policy.Except(TestPath, refusal, Now.AddDays(2)).Sentence, StringComparison.Ordinal);
        Assert.Contains("finds no such claim, or two",
            policy.Except(TestPath, policy.Decide(TestPath, Ballots(("b", Vote(2)))), Now).Sentence, StringComparison.Ordinal);
        var agreed = policy.Decide(TestPath, Ballots(("a", Vote(2)), ("b", Vote(2))));
        Assert.Same(agreed, policy.Except(TestPath, agreed, Now));
        Assert.Null(policy.ExceptionFor(PathOf("g3mvg9q2slaizvvc5jsr2azpgmjph5r7-other"), Now));
        Assert.False(exception.IsSettledBy(Ballots(("a", Vote(1))), 3));
        Assert.True((exception with { Cache = "a", NarHash = null }).IsSettledBy(Ballots(("a", Vote(1))), 3));
    }

    [Fact]
    public void A_caches_word_is_granted_by_an_exception_that_names_it_and_outlives_bundle_and_seal()
    {
        var policy = new Policy(
            [Elector("a"), Cache])
        { Exceptions = [new PolicyException("src", "cache", null, "trusted", Now.AddDays(1))] };
        var vote = CacheVote();
        var verdict = policy.Except(
            TestPath, policy.Decide(TestPath, Ballots(("cache", vote), ("a", new Ballot.Absent(IsProven: false, 7)))), Now);
        var record = DecisionRecord.Of(verdict, Hints(vote.Claim), Now);
        var bundle = DecisionBundle.Of(TestPath, record, verdict, policy);

        Assert.True(DecisionBundle.TryVerify(bundle.ToBytes(), policy, out var verified, out var again, out var error), error.ToString());
        Assert.Equal((bundle.Hash, Outcome.Excepted, TestPath.Absolute, "2026-01-02T03:04:05.000Z"),
            (verified.Hash, verified.Outcome, verified.Path, verified.DecidedAt));
        Assert.Equal(vote.Claim, again!.Granted);
        var seal = new DecisionSeal(new RecordSeal(CacheKey, []), policy);
        Assert.True(seal.TryOpen(TestPath.Digest, seal.Seal(TestPath.Digest, record), out var opened, out _));
        Assert.Equal(vote.Proof is VoteProof.BySignature { Signature: var signature } ? signature.ToString()
            : null, Assert.Single(opened.Ballots.Votes).Signature);
        Assert.True(opened.IsExcepted);
    }

    [Theory]
    [InlineData("\"version\":2", "\"version\":3", DecisionBundleError.Version)]
    [InlineData("\"version\":2", "\"version\":2,\"extra\":1", DecisionBundleError.Json)]
    [InlineData("\"outcome\":\"undecided\"", "\"outcome\":\"agreed\"", DecisionBundleError.Digest)]
    [InlineData("{", "[", DecisionBundleError.Json)]
    public void What_was_changed_in_a_bundle_is_told(string text, string instead, DecisionBundleError expected)
    {
        var policy = new Policy([Elector("a"), Cache]);
        var verdict = policy.Decide(TestPath, Ballots(("cache", CacheVote()), ("a", Silent)));
        var json = System.Text.Encoding.UTF8.GetString(
            DecisionBundle.Of(TestPath, DecisionRecord.Refusal(verdict.Outcome, verdict.Sentence, Now), verdict, policy).ToBytes());
        var at = json.IndexOf(text, StringComparison.Ordinal);

        Assert.False(DecisionBundle.TryVerify(
            System.Text.Encoding.UTF8.GetBytes(json[..at] + instead + json[(at + text.Length)..]), policy, out _, out _, out var error));
        Assert.Equal(expected, error);
        Assert.False(DecisionBundle.TryVerify(
            System.Text.Encoding.UTF8.GetBytes(json), new Policy([Elector("a"), Cache], quorum: 1), out _, out _, out error));
        Assert.Equal(DecisionBundleError.Policy, error);
    }

    [Fact]
    public void What_its_address_makes_and_what_the_fallback_says_are_shown_by_bundles_too()
    {
        var vote = CacheVote();
        var policy = new Policy([Elector("a"), Cache]) { Fallback = "cache" };
        var verdict = policy.Decide(TestPath, Ballots(("cache", vote)));
        var report = DecisionBundle.Of(TestPath, DecisionRecord.OfFallback(vote.Claim, Hints(vote.Claim), "report", Now), verdict, policy);
        Assert.True(DecisionBundle.TryVerify(report.ToBytes(), policy, out _, out _, out var error), error.ToString());

        Assert.True(ContentAddress.TryParse($"fixed:r:{Claim(1).NarHash}", out var address));
        Assert.True(address.TryMakePath("src", [], self: false, out var path));
        Assert.True(OutputClaim.TryReadContentAddressed(NarInfoOf(path) with { ContentAddress = address }, out var claim));
        Assert.False(OutputClaim.TryReadContentAddressed(NarInfoOf(TestPath) with { ContentAddress = address }, out _));
        Assert.Throws<ArgumentException>(() => DecisionRecord.OfContentAddress(claim, Hints(claim), "x", Now, isSettled: true));
        var record = DecisionRecord.OfContentAddress(
            claim, Hints(claim) with { ContentAddress = address }, "content-addressed", Now, isSettled: true);
        var refusal = policy.Decide(path, Ballots(("a", new Ballot.Absent(IsProven: false, 3))));
        var bundle = DecisionBundle.Of(path, record, refusal, policy);

        Assert.Equal(address, record.MustMatch);
        Assert.True(DecisionBundle.TryVerify(bundle.ToBytes(), policy, out _, out _, out error), error.ToString());
    }

    [Fact]
    public void What_a_log_gives_is_judged_for_its_own_reason_and_a_bundle_holds_it()
    {
        var log = new Elector.Log("a", "a", Signer.Key);
        var good = EvidenceOf(ValueOf(TestPath), log);

        var vote = Assert.IsType<Ballot.Claimed>(good.Judge(log, TestPath));
        Assert.Equal(SilenceReason.ValueMissing, ReasonOf(good with { Value = null }, log));
        Assert.Equal(SilenceReason.ValueDigest, ReasonOf(good with { Value = "{}"u8.ToArray() }, log));
        Assert.Equal(SilenceReason.InclusionProof, ReasonOf(good with { Inclusion = null }, log));
        Assert.Equal(SilenceReason.ClaimMalformed, ReasonOf(EvidenceOf("{}"u8.ToArray(), log), log));
        Assert.Equal(
            SilenceReason.ClaimOfOtherPath, ReasonOf(EvidenceOf(ValueOf(PathOf("g3mvg9q2slaizvvc5jsr2azpgmjph5r7-other")), log), log));
        var absence = good with { Map = new MapValueResponse { Value = ByteString.Empty, Proof = good.Map.Proof } };
        Assert.Equal(SilenceReason.MapProof, ReasonOf(absence, log));
        var empty = new LogEvidence(
            Signer.Sign(new TreeHead(MerkleHash.EmptyLog, 0, default, MerkleHash.MapHeadLeaf(default), 1)), absence.Map, null, null);
        Assert.True(Assert.IsType<Ballot.Absent>(empty.Judge(log, TestPath)).IsProven);

        var policy = new Policy([log]);
        foreach (var ballot in new[] { vote, empty.Judge(log, TestPath) })
        {
            var verdict = policy.Decide(TestPath, Ballots(("a", ballot)));
            var record = verdict.Granted is null ? DecisionRecord.Refusal(verdict.Outcome, verdict.Sentence, Now)
                : DecisionRecord.Of(verdict, Hints(verdict.Granted), Now);
            Assert.True(DecisionBundle.TryVerify(
                DecisionBundle.Of(TestPath, record, verdict, policy).ToBytes(), policy, out _, out _, out var error), error.ToString());
        }
    }

    private static SilenceReason ReasonOf(LogEvidence evidence, Elector.Log log) =>
        Assert.IsType<Ballot.Silent>(evidence.Judge(log, TestPath)).Reason;

    private static byte[] ValueOf(StorePath path) => StatementText.Format(path, Claim(1).NarHash, 100, []);

    /// <summary>What a log of one entry gives for it.</summary>
    private static LogEvidence EvidenceOf(byte[] value, Elector.Log log)
    {
        var entry = new MapEntry(Digest.Of(value), 0);
        var key = log.KeyOf(TestPath);
        var root = MerkleHash.MapLeaf(Digest.Of(key), Digest.Of(entry.ToBytes()));
        var head = Signer.Sign(new TreeHead(MerkleHash.LogLeaf(key, entry.ValueDigest), 1, root, MerkleHash.MapHeadLeaf(root), 1));
        return new LogEvidence(head,
            new MapValueResponse { Value = ByteString.CopyFrom(entry.ToBytes()), Proof = new MapProof([], null).ToMessage() }, [], value);
    }

    private static Ballot.Claimed CacheVote()
    {
        var narInfo = NarInfoOf(TestPath);
        narInfo = narInfo with { Signatures = [CacheKey.Sign(narInfo.Fingerprint)] };
        return OutputClaim.TryReadSigned(narInfo, Cache.Keys, out var claim, out var signature)
            ? new Ballot.Claimed(claim, new VoteProof.BySignature(signature) { NarInfo = narInfo })
            : throw new InvalidOperationException();
    }

    private static NarInfo NarInfoOf(StorePath path) =>
        new() { StorePath = path, Url = "nar/x", Compression = "none", NarHash = Claim(1).NarHash, NarSize = 100, References = [] };
}
