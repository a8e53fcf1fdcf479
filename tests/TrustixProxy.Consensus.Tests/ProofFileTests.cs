using System.Text;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using static TrustixProxy.Consensus.Tests.Make;

namespace TrustixProxy.Consensus.Tests;

/// <summary>What a static proof file is worth, judged offline.</summary>
public sealed class ProofFileTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private static readonly TestWitness Witness = new("w1", 1);
    private static readonly CheckpointSigner Log = new("dora.example/nix", new LogSigner([.. Enumerable.Repeat((byte)9, 32)]));

    [Fact]
    public void A_file_votes_for_the_fingerprint_that_it_proves()
    {
        var file = Proof(Claim(1).Fingerprint);

        var vote = Assert.IsType<Ballot.Claimed>(ProofFile.Judge(file, Dora(), TestPath, Now));
        Assert.Equal(Claim(1), vote.Claim);
        var proof = Assert.IsType<VoteProof.ByProofFile>(vote.Proof);
        Assert.Equal((Log.Key.Name, 1), (proof.Origin, proof.LeafIndex));
        Assert.Equal(file, proof.File);
    }

    [Theory]
    [InlineData("cut", SilenceReason.BadProof)]
    [InlineData("without entry", SilenceReason.BadProof)]
    [InlineData("of another entry", SilenceReason.BadProof)]
    [InlineData("of another log", SilenceReason.BadProof)]
    [InlineData("unwitnessed", SilenceReason.Unwitnessed)]
    [InlineData("cosigned in the future", SilenceReason.Unwitnessed)]
    [InlineData("of another path", SilenceReason.ClaimOfOtherPath)]
    [InlineData("no fingerprint", SilenceReason.ClaimMalformed)]
    public void Anything_else_is_an_answer_without_a_vote(string fault, SilenceReason reason)
    {
        var good = Proof(Claim(1).Fingerprint);
        var file = fault switch
        {
            "cut" => good[..(good.Length / 2)],
            "without entry" => (Read(good) with { Extra = null }).ToBytes(),
            "of another entry" => (Read(good) with { Extra = Encoding.ASCII.GetBytes(Claim(2).Fingerprint) }).ToBytes(),
            "of another log" => Proof(Claim(1).Fingerprint, log: new CheckpointSigner(Log.Key.Name, new LogSigner(new byte[32]))),
            "unwitnessed" => Proof(Claim(1).Fingerprint, isWitnessed: false),
            "cosigned in the future" => Proof(Claim(1).Fingerprint, at: Now + WitnessPolicy.MaxAhead + TimeSpan.FromSeconds(1)),
            "of another path" => Proof(new OutputClaim(
                PathOf("62isaw6prfn3n8l5v6jydfiagr8f7ykx-x"), new NarHash(Claim(1).NarHash), 100, []).Fingerprint),
            _ => Proof("hello"),
        };

        var silent = Assert.IsType<Ballot.Silent>(ProofFile.Judge(file, Dora(), TestPath, Now));
        Assert.Equal(reason, silent.Reason);
        Assert.True(silent.IsAnswer && silent.IsForGood);
    }

    [Fact]
    public void A_bundle_shows_the_file_and_its_verifier_judges_it_again()
    {
        var policy = new Policy([Elector("a"), Dora()], quorum: 1);
        var vote = ProofFile.Judge(Proof(Claim(1).Fingerprint), Dora(), TestPath, Now);
        var verdict = policy.Decide(TestPath, Ballots(("a", Silent), ("dora", vote)));
        var record = DecisionRecord.Of(verdict, Hints(Claim(1)), Now);
        var bundle = DecisionBundle.Of(TestPath, record, verdict, policy);

        Assert.True(DecisionBundle.TryVerify(bundle.ToBytes(), policy, out _, out var again, out var error), error.ToString());
        Assert.Equal(Claim(1), again!.Granted);
        Assert.Contains("\"proof\":\"c2sp.org/tlog-proof@v1\\n", Encoding.UTF8.GetString(bundle.ToBytes()), StringComparison.Ordinal);
        var kept = Assert.Single(record.Ballots.Votes);
        Assert.Equal(("dora", null, null), (kept.Elector, kept.Position, kept.Signature));

        // The file under another elector's name, or decided on before the witness signed it, proves nothing.
        var early = DecisionBundle.Of(TestPath, DecisionRecord.Of(verdict, Hints(Claim(1)), Now.AddDays(-1)), verdict, policy);
        Assert.False(DecisionBundle.TryVerify(early.ToBytes(), policy, out _, out _, out error));
        Assert.Equal(DecisionBundleError.Answer, error);
    }

    [Fact]
    public void What_the_policy_file_says_enters_the_policys_identity_and_how_it_is_written_does_not()
    {
        Assert.Equal(IdentityOf(Dora()), IdentityOf(Dora("# a comment\n\n")));
        Assert.NotEqual(IdentityOf(Dora()), IdentityOf(Dora($"{new TestWitness("w2", 2).Line}")));
    }

    private static string IdentityOf(Elector.ProofFiles elector) => new Policy([Elector("a"), elector]).Identity.ToString();

    private static Elector.ProofFiles Dora(string more = "") => WitnessPolicy.TryParse(
        Encoding.UTF8.GetBytes($"{more}log {Log.Key}\n{Witness.Line}quorum w1\n"), mustDemand: true, out var policy, out var fault)
            ? new Elector.ProofFiles("dora", "dora", policy) : throw new InvalidDataException($"{fault}");

    private static TlogProof Read(byte[] file) => TlogProof.TryParse(file, out var proof) ? proof : throw new InvalidDataException();

    private static byte[] Proof(string text, bool isWitnessed = true, DateTimeOffset? at = null, CheckpointSigner? log = null)
    {
        var entry = Encoding.ASCII.GetBytes(text);
        var (leaf, before) = (MerkleHash.Leaf(entry), MerkleHash.Leaf("an entry before"u8));
        var note = (log ?? Log).Sign(2, MerkleHash.Node(before, leaf));
        var signed = isWitnessed ? note.With(Witness.Cosign(note, at ?? Now)) : note;
        return new TlogProof(entry, 1, [before], signed).ToBytes();
    }
}
