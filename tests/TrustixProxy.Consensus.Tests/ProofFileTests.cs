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
    private static readonly DateTimeOffset RecordedAt = DateTimeOffset.FromUnixTimeSeconds(1_795_880_443);
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
    public void A_file_with_an_entry_of_our_logs_votes_for_the_value_that_it_proves()
    {
        var value = Encoding.ASCII.GetBytes(
            $$"""{"path":"{{TestPath.Absolute}}","narHash":"{{Claim(1).NarHash}}","narSize":100,"references":[]}""");
        var other = Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(value).Replace("100", "101", StringComparison.Ordinal));
        var ours = EntryBundle.EntryOf(Encoding.ASCII.GetBytes(TestPath.Absolute), Digest.Of(value));
        var elsewhere = EntryBundle.EntryOf("/nix/store/62isaw6prfn3n8l5v6jydfiagr8f7ykx-x"u8, Digest.Of(value));

        var vote = Assert.IsType<Ballot.Claimed>(ProofFile.Judge(Proof(ours, value), Dora(), TestPath, Now));

        Assert.Equal(Claim(1), vote.Claim);
        Assert.Equal(SilenceReason.BadProof, ReasonOf(Proof(ours, other), Dora()));
        Assert.Equal(SilenceReason.BadProof, ReasonOf(Proof(elsewhere, value), Dora()));
        Assert.Equal(SilenceReason.ClaimOfOtherPath, Assert.IsType<Ballot.Silent>(ProofFile.Judge(
            Proof(elsewhere, value), Dora(), PathOf("62isaw6prfn3n8l5v6jydfiagr8f7ykx-x"), Now)).Reason);
        Assert.Equal(SilenceReason.ClaimMalformed,
            ReasonOf(Proof(EntryBundle.EntryOf(Encoding.ASCII.GetBytes(TestPath.Absolute), Digest.Of("{}"u8)), "{}"u8.ToArray()), Dora()));
    }

    [Fact]
    public void A_file_of_Sigsum_votes_for_the_text_before_it()
    {
        var (path, text, elector) = (PathOf("83qfhg2g0rh45zf2f0smb15my5kgbmb3-hello-1.3"), Sigsum("f3.message"), Recorded());
        var file = ProofFile.With(text, Encoding.UTF8.GetBytes(Sigsum("f3.proof")));

        var vote = Assert.IsType<Ballot.Claimed>(ProofFile.Judge(file, elector, path, RecordedAt));

        Assert.Equal(text, vote.Claim.Fingerprint);
        var proof = Assert.IsType<VoteProof.ByProofFile>(vote.Proof);
        Assert.Equal((elector.Witnesses.Logs[0].Key.Name, 3), (proof.Origin, proof.LeafIndex));
        Assert.Equal(SilenceReason.ClaimOfOtherPath,
            Assert.IsType<Ballot.Silent>(ProofFile.Judge(file, elector, TestPath, RecordedAt)).Reason);
        Assert.True(ProofFile.IsWithoutText(Encoding.UTF8.GetBytes(Sigsum("f3.proof")), elector));
        Assert.False(ProofFile.IsWithoutText(file.Span, elector));

        var policy = new Policy([Elector("a"), elector], quorum: 1);
        var verdict = policy.Decide(path, Ballots(("a", Silent), ("dora", vote)));
        var bundle = DecisionBundle.Of(path, DecisionRecord.Of(verdict, Hints(vote.Claim), RecordedAt), verdict, policy);
        Assert.True(DecisionBundle.TryVerify(bundle.ToBytes(), policy, out _, out var again, out var error), error.ToString());
        Assert.Equal(vote.Claim, again!.Granted);
    }

    [Theory]
    [InlineData("no text", SilenceReason.BadProof)]
    [InlineData("another text", SilenceReason.BadProof)]
    [InlineData("another key", SilenceReason.BadProof)]
    [InlineData("another log", SilenceReason.BadProof)]
    [InlineData("a tlog-proof of the log", SilenceReason.BadProof)]
    [InlineData("one witness", SilenceReason.Unwitnessed)]
    [InlineData("cosigned in the future", SilenceReason.Unwitnessed)]
    public void A_file_of_Sigsum_is_no_vote_for_another_text_key_log_or_witness(string fault, SilenceReason reason)
    {
        var (path, text, elector, proof) = (
            PathOf("83qfhg2g0rh45zf2f0smb15my5kgbmb3-hello-1.3"), Sigsum("f3.message"), Recorded(), Sigsum("f3.proof"));
        proof = fault is "one witness" ? string.Join('\n', proof.Split('\n').Where((line, _) =>
            !line.StartsWith("cosignature=d4f2", StringComparison.Ordinal))) : proof;
        ReadOnlyMemory<byte> file = fault switch
        {
            "no text" => Encoding.UTF8.GetBytes(proof),
            "another text" => ProofFile.With(text.Replace("542703", "542704", StringComparison.Ordinal), Encoding.UTF8.GetBytes(proof)),
            "a tlog-proof of the log" => Proof(text),
            _ => ProofFile.With(text, Encoding.UTF8.GetBytes(proof)),
        };
        elector = fault switch
        {
            "another key" => elector with { Submitters = [Key(Sigsum("log.pub"))] },
            "another log" or "a tlog-proof of the log" => Dora() with { Submitters = elector.Submitters },
            _ => elector,
        };
        var at = fault is "cosigned in the future" ? RecordedAt - WitnessPolicy.MaxAhead - TimeSpan.FromHours(1) : RecordedAt;

        var silent = Assert.IsType<Ballot.Silent>(ProofFile.Judge(file, elector, path, fault is "a tlog-proof of the log" ? Now : at));

        Assert.Equal(reason, silent.Reason);
        Assert.True(silent.IsAnswer);
    }

    [Fact]
    public void Who_signs_for_a_log_of_Sigsum_votes_and_enters_the_policys_identity()
    {
        var elector = Recorded();
        var more = elector with { Submitters = [.. elector.Submitters, Key(Sigsum("log.pub"))] };

        Assert.Equal(elector.Submitters.Select(key => Convert.ToHexString(key.Bytes)), elector.KeyBytes.Select(Convert.ToHexString));
        Assert.NotEqual(IdentityOf(elector), IdentityOf(more));
        Assert.NotEqual(IdentityOf(elector), IdentityOf(elector with { Submitters = [] }));
        Assert.Equal(IdentityOf(more), IdentityOf(more with { Submitters = [.. more.Submitters.Reverse()] }));
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

    private static SilenceReason ReasonOf(byte[] file, Elector.ProofFiles elector) =>
        Assert.IsType<Ballot.Silent>(ProofFile.Judge(file, elector, TestPath, Now)).Reason;

    /// <summary>The elector of recorded files of Sigsum.</summary>
    private static Elector.ProofFiles Recorded() => WitnessPolicy.TryParse(
        Encoding.UTF8.GetBytes(Sigsum("policy")), mustDemand: true, out var policy, out var fault)
            ? new Elector.ProofFiles("dora", "dora", policy) { Submitters = [Key(Sigsum("builder.pub"))] }
            : throw new InvalidDataException($"{fault}");

    private static SigsumKey Key(string text) =>
        SigsumKey.TryParse(text.TrimEnd(), out var key) ? key : throw new InvalidDataException(text);

    private static string Sigsum(string file) => File.ReadAllText($"Vectors/sigsum/{file}");

    private static byte[] Proof(string text, bool isWitnessed = true, DateTimeOffset? at = null, CheckpointSigner? log = null) =>
        Proof(Encoding.ASCII.GetBytes(text), Encoding.ASCII.GetBytes(text), isWitnessed, at, log);

    private static byte[] Proof(
        byte[] entry, byte[] extra, bool isWitnessed = true, DateTimeOffset? at = null, CheckpointSigner? log = null)
    {
        var (leaf, before) = (MerkleHash.Leaf(entry), MerkleHash.Leaf("an entry before"u8));
        var note = (log ?? Log).Sign(2, MerkleHash.Node(before, leaf));
        var signed = isWitnessed ? note.With(Witness.Cosign(note, at ?? Now)) : note;
        return new TlogProof(extra, 1, [before], signed).ToBytes();
    }
}
