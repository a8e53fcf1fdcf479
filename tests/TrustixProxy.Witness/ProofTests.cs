using System.Text;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Witness;

/// <summary>W8: Torchwood verifies what <c>log proof</c> writes, once a witness has cosigned it.</summary>
public sealed class ProofTests
{
    private const string Origin = "log.example/nix";

    [ProgramFact("torchwood")]
    public async Task A_proof_holds_for_its_entry_alone_and_only_with_its_cosignature()
    {
        var output = TestOutput.Make();
        await using var node = await new TestLogNode { Origin = Origin }.StartAsync();
        await node.SubmitAsync([.. Enumerable.Range(0, 300).Select(i => (Encoding.ASCII.GetBytes($"key-{i}"), "value"u8.ToArray()))]);
        await node.SubmitAsync((output.Statement.Key, output.Statement.Value));
        var witness = new TestWitness("w1", 1);
        using var folder = new TestFolder();
        var policy = Write("policy", $"log {VerifierKey.OfLog(Origin, node.Signer.Key)}\n{witness.Line}quorum w1\n");

        var proof = LogProof.Make(node.StateDirectory, node.Options, output.Path)!;
        var cosigned = proof with { Checkpoint = proof.Checkpoint.With(witness.Cosign(proof.Checkpoint, DateTimeOffset.UtcNow)) };
        var entry = EntryBundle.EntryOf(output.Statement.Key, Digest.Of(output.Statement.Value));
        var other = EntryBundle.EntryOf(output.Statement.Key, Digest.Of(output.Forge().Statement.Value));

        Assert.Equal("OK", await VerifyAsync(cosigned, entry));
        Assert.StartsWith("NO: ", await VerifyAsync(cosigned, other), StringComparison.Ordinal);
        Assert.StartsWith("NO: ", await VerifyAsync(proof, entry), StringComparison.Ordinal);

        async Task<string> VerifyAsync(TlogProof file, byte[] of)
        {
            var (proofFile, entryFile) = (Path.Combine(folder.Path, "proof"), Path.Combine(folder.Path, "entry"));
            await File.WriteAllBytesAsync(proofFile, file.ToBytes());
            await File.WriteAllBytesAsync(entryFile, of);
            return (await Programs.RunAsync("torchwood", policy, "proof", proofFile, entryFile)).Output.Trim();
        }

        string Write(string name, string text)
        {
            File.WriteAllText(Path.Combine(folder.Path, name), text);
            return Path.Combine(folder.Path, name);
        }
    }
}
