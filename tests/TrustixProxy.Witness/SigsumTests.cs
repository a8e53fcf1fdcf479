using System.Text;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Witness;

/// <summary>W8: Sigsum's own verifier and ours accept and refuse the same proof files.</summary>
public sealed class SigsumTests
{
    private static readonly DateTimeOffset RecordedAt = DateTimeOffset.FromUnixTimeSeconds(1_795_880_443);

    private static readonly string Policy = Path.GetFullPath("Vectors/sigsum/policy");

    [ProgramFact("sigsum-verify")]
    public async Task A_proof_holds_for_its_text_alone_under_its_key_and_with_all_its_cosignatures()
    {
        var (text, proof) = (Read("f3.message"), Encoding.UTF8.GetString(Read("f3.proof")));
        var unseen = string.Join('\n', proof.Split('\n').Where(line => !line.StartsWith("cosignature=d4f2", StringComparison.Ordinal)));

        Assert.True(await AgreeAsync(proof, text, "builder.pub"));
        Assert.False(await AgreeAsync(proof, [.. text, (byte)'\n'], "builder.pub"));
        Assert.False(await AgreeAsync(proof, text, "log.pub"));
        Assert.False(await AgreeAsync(unseen, text, "builder.pub"));
    }

    [ProgramFact("sigsum-verify")]
    public async Task No_character_of_a_proof_can_be_changed()
    {
        var (text, proof) = (Read("f3.message"), Read("f3.proof"));
        for (var at = 0; at < proof.Length; at += 7)
        {
            byte[] changed = [.. proof[..at], (byte)(proof[at] ^ 1), .. proof[(at + 1)..]];
            Assert.False(await AgreeAsync(Encoding.UTF8.GetString(changed), text, "builder.pub"), $"character {at}");
        }
    }

    /// <summary>Whether both verifiers accept a proof; that one alone does is a fault.</summary>
    private static async Task<bool> AgreeAsync(string proof, byte[] text, string key)
    {
        using var folder = new TestFolder();
        var (proofFile, textFile) = (Path.Combine(folder.Path, "proof"), Path.Combine(folder.Path, "text"));
        await File.WriteAllTextAsync(proofFile, proof);
        await File.WriteAllBytesAsync(textFile, text);
        var theirs = await Programs.RunOnAsync(
            textFile, "sigsum-verify", "-k", Path.GetFullPath($"Vectors/sigsum/{key}"), "-p", Policy, proofFile);

        Assert.True(SigsumKey.TryParse(Encoding.UTF8.GetString(Read(key)).TrimEnd(), out var submitter));
        Assert.True(WitnessPolicy.TryParse(Read("policy"), mustDemand: true, out var policy, out _));
        var ours = SigsumProof.TryParse(Encoding.UTF8.GetBytes(proof), out var read)
            && read.Verify(text, [submitter], policy, RecordedAt) is CheckpointVerdict.Witnessed;

        Assert.True(ours == (theirs.Code is 0), $"we say {ours}, Sigsum says {theirs}");
        return ours;
    }

    private static byte[] Read(string file) => File.ReadAllBytes($"Vectors/sigsum/{file}");
}
