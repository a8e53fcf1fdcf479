using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.Native;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Substituter.Tests.Evidence;

/// <summary>A proxy over a log and a static server of proof files, both of which must agree.</summary>
public sealed class ProofFileVoteTests
{
    private const string Origin = "dora.example/nix";

    private static readonly TestWitness Witness = new("w1", 1);
    private static readonly CheckpointSigner Log = new(Origin, new LogSigner([.. Enumerable.Repeat((byte)9, 32)]));
    private static readonly Ed25519SigningKey Submitter = new([.. Enumerable.Repeat((byte)7, 32)]);
    private static readonly Ed25519SigningKey Sigsum = new([.. Enumerable.Repeat((byte)8, 32)]);
    private static readonly CheckpointSigner SigsumSigner = new(SigsumLog.KeyOf(Sigsum.PublicKey).Name, new LogSigner(Sigsum));

    [Fact]
    public async Task A_proof_file_agrees_and_the_decision_can_be_made_again_offline()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, Proof(output));

        await proxy.NarAsync(await proxy.NarInfoAsync(output));

        var (bundle, verdict) = await VerifyAsync(proxy, output);
        Assert.Equal((Outcome.Agreed, output.Statement.NarHash), (bundle.Outcome, verdict.Granted!.NarHash));
        Assert.Contains("c2sp.org/tlog-proof@v1", Encoding.UTF8.GetString(bundle.ToBytes()), StringComparison.Ordinal);
        Assert.False(DecisionBundle.TryVerify(bundle.ToBytes(), new Policy(
            [proxy.Policy!.Electors[0], Dora("quorum q2", "witness w2 " + new TestWitness("w2", 2).Key, "group q2 any w1 w2")], 2),
            out _, out _, out var error));
        Assert.Equal(DecisionBundleError.Policy, error);
    }

    [Theory]
    [InlineData("changed", "bad-proof")]
    [InlineData("cut", "bad-proof")]
    [InlineData("html", "bad-proof")]
    [InlineData("large", "too-large")]
    [InlineData("without entry", "bad-proof")]
    [InlineData("unwitnessed", "unwitnessed")]
    [InlineData("of another path", "claim-of-other-path")]
    [InlineData("not a fingerprint", "claim-malformed")]
    public async Task A_file_that_proves_nothing_is_no_vote_and_is_not_waited_for(string fault, string reason)
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, Damage(output, fault));

        var answer = await proxy.AskAsync(output.Path).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.Equal("undecided", answer.Decision);
        var said = reason is "unwitnessed" ? "dora=unwitnessed" : $"dora=silent({reason})";
        Assert.Contains(said, (await VerifyAsync(proxy, output)).Verdict.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proof_of_another_output_disagrees()
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, Proof(output.Forge()));

        Assert.Equal("conflict", (await proxy.AskAsync(output.Path).WaitAsync(TimeSpan.FromMinutes(1))).Decision);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_proof_of_Sigsum_agrees_with_its_text_before_it_or_with_what_an_upstream_offers(bool hasText)
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, Signed(output, hasText), isSigsum: true);

        await proxy.NarAsync(await proxy.NarInfoAsync(output));

        var (bundle, verdict) = await VerifyAsync(proxy, output);
        Assert.Equal((Outcome.Agreed, output.Statement.NarHash), (bundle.Outcome, verdict.Granted!.NarHash));
        Assert.Contains("version=2", Encoding.UTF8.GetString(bundle.ToBytes()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, "conflict")]
    [InlineData(false, "undecided")]
    public async Task A_proof_of_Sigsum_of_another_output_disagrees_where_it_says_what_was_signed(bool hasText, string decision)
    {
        var output = TestOutput.Make();
        await using var proxy = await StartAsync(output, Signed(output.Forge(), hasText), isSigsum: true);

        Assert.Equal(decision, (await proxy.AskAsync(output.Path).WaitAsync(TimeSpan.FromMinutes(1))).Decision);
    }

    [Fact]
    public async Task Paths_without_files_are_absent_and_unproven_at_once()
    {
        var outputs = Enumerable.Range(0, 26).Select(i => TestOutput.Make($"path-{i}")).ToList();
        await using var proxy = await StartAsync(outputs[0], null, [.. outputs.Skip(1)]);

        var answers = await Task.WhenAll(outputs.Select(output => proxy.AskAsync(output.Path))).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.All(answers, answer => Assert.Equal("undecided", answer.Decision));
        Assert.Contains("dora=silent(not-found)", (await VerifyAsync(proxy, outputs[0])).Verdict.Sentence, StringComparison.Ordinal);
    }

    private static byte[] Damage(TestOutput output, string fault)
    {
        var good = Proof(output);
        return fault switch
        {
            "changed" => Read(good) is var proof ? (proof with { Extra = Fingerprint(output.Forge()) }).ToBytes() : [],
            "cut" => good[..(good.Length / 2)],
            "html" => "<html>this domain is for sale</html>"u8.ToArray(),
            "large" => new byte[TlogProof.MaxSize + 1],
            "without entry" => (Read(good) with { Extra = null }).ToBytes(),
            "unwitnessed" => Proof(Fingerprint(output), isWitnessed: false),
            "of another path" => Proof(TestOutput.Make("other")),
            _ => Proof("a fingerprint"u8.ToArray(), isWitnessed: true),
        };
    }

    private static TlogProof Read(byte[] file) => TlogProof.TryParse(file, out var proof) ? proof : throw new InvalidDataException();

    private static byte[] Fingerprint(TestOutput output) => Encoding.ASCII.GetBytes(Nix.Fingerprint.Format(
        output.Path, output.Statement.NarHash, output.Statement.NarSize, output.Statement.References));

    private static byte[] Proof(TestOutput output) => Proof(Fingerprint(output), isWitnessed: true);

    private static byte[] Proof(byte[] entry, bool isWitnessed)
    {
        var (leaf, before) = (MerkleHash.Leaf(entry), MerkleHash.Leaf("an entry before"u8));
        var note = Log.Sign(2, MerkleHash.Node(before, leaf));
        var signed = isWitnessed ? note.With(Witness.Cosign(note, DateTimeOffset.UtcNow)) : note;
        return new TlogProof(entry, 1, [before], signed).ToBytes();
    }

    /// <summary>A proof of Sigsum, with or without the line of what was signed.</summary>
    private static byte[] Signed(TestOutput output, bool hasText)
    {
        var text = Fingerprint(output);
        var checksum = Digest.Of(Digest.Of(text).ToArray()).ToArray();
        var (hash, signature) = (new SigsumKey(Submitter.PublicKey).Hash, Submitter.Sign([.. "sigsum.org/v1/tree-leaf\0"u8, .. checksum]));
        var note = SigsumSigner.Sign(1, MerkleHash.Leaf([.. checksum, .. signature, .. hash.ToArray()]));
        Assert.True(Checkpoint.TryRead(note, out var checkpoint));
        var seen = new SigsumCosignature(Digest.Of(Witness.Key.Bytes), Witness.Sign(note.Text, DateTimeOffset.UtcNow.ToUnixTimeSeconds()));
        var proof = new SigsumProof(
            Digest.Of(SigsumSigner.Key.Bytes), hash, signature, checkpoint, note.Signatures[0].Bytes, [seen], 0, []);
        return hasText ? [.. text, (byte)'\n', .. proof.ToBytes()] : proof.ToBytes();
    }

    private static Elector.ProofFiles Dora(string quorum, params string[] lines)
    {
        var text = string.Join('\n', [$"log {Log.Key}", Witness.Line.TrimEnd(), .. lines, quorum, ""]);
        return WitnessPolicy.TryParse(Encoding.UTF8.GetBytes(text), mustDemand: true, out var policy, out var fault)
            ? new Elector.ProofFiles("dora", "dora", policy) : throw new InvalidDataException($"{fault}");
    }

    private static async Task<(DecisionBundle Bundle, Verdict Verdict)> VerifyAsync(TestProxy proxy, TestOutput output)
    {
        var json = await proxy.Client.GetByteArrayAsync(new Uri(proxy.OperationsUrl, $"/decisions/{output.Path.Digest}"));
        Assert.True(DecisionBundle.TryVerify(json, proxy.Policy!, out var bundle, out var verdict, out var error), $"{error}");
        return (bundle, verdict!);
    }

    private static Task<TestProxy> StartAsync(TestOutput output, byte[]? proof, params TestOutput[] others) =>
        StartAsync(output, proof, isSigsum: false, others);

    private static async Task<TestProxy> StartAsync(TestOutput output, byte[]? proof, bool isSigsum, params TestOutput[] others)
    {
        var proxy = new TestProxy { Quorum = 2 };
        await proxy.AddLogAsync("alice");
        await proxy.AddUpstreamAsync("main");
        foreach (var published in others.Append(output))
        {
            proxy.Publish(published, "alice");
        }

        var files = await proxy.AddUpstreamAsync("files");
        if (proof is not null)
        {
            files.AddFile($"/nix/{output.Path.Digest}.{(isSigsum ? "sigsum" : "tlog-proof")}", proof);
        }

        var elector = isSigsum ? Dora("quorum w1", $"log {SigsumSigner.Key}") with { Submitters = [new SigsumKey(Submitter.PublicKey)] }
            : Dora("quorum w1");
        proxy.Proofs.Add(new ProofOptions(elector, new Uri(files.Url, "nix")));
        proxy.Change = options => options with
        {
            Deadline = TimeSpan.FromMinutes(2),
            Upstreams = [.. options.Upstreams.Where(upstream => upstream.Name is "main")],
        };
        return await proxy.StartAsync();
    }
}
