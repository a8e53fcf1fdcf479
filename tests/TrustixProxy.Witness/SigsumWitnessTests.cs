using System.Net;
using System.Text;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Native;
using TrustixProxy.Nix;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Witness;

/// <summary>W6: sigsum-witness cosigns our log when its origin is that of a log of Sigsum.</summary>
/// <remarks>The program knows one log, so it cannot cosign the map-head log, and a quorum needs other witnesses.</remarks>
public sealed class SigsumWitnessTests
{
    [ProgramFact("sigsum-witness")]
    public async Task It_cosigns_and_remembers_the_log_after_a_restart()
    {
        using var folder = new TestFolder();
        var (signer, key) = (new LogSigner(NixSecretKey.Generate("x").Key), Ed25519SigningKey.Generate());
        await using var agent = new SshAgent(Path.Combine(folder.Path, "agent"), key);
        await using var witness = WitnessProcess.OfSigsum("s", folder.Path, agent, key, signer.Key);
        Assert.True(WitnessPolicy.TryParse(
            Encoding.UTF8.GetBytes($"{witness.Line}quorum s\n"), mustDemand: true, out var policy, out var fault), $"{fault}");
        await using var node = new TestLogNode(signer: signer)
        {
            Origin = $"sigsum.org/v1/tree/{Digest.Of(signer.Key.Bytes)}",
            Change = options => options with
            {
                Logs = [options.Logs[0] with { Witnesses = new WitnessOptions(policy, TimeSpan.FromMilliseconds(50), IsWithheld: false) }],
            },
        };
        await node.StartAsync();

        await witness.StartAsync();
        var first = await CosignedAsync(1);
        await witness.KillAsync();
        await witness.StartAsync();

        var forgetful = new CheckpointRequest(0, [], SignedNote.Of(first.Text, first.Signatures[0]));
        using var body = new ByteArrayContent(forgetful.ToBytes());
        using var answer = await node.Client.PostAsync(witness.Url, body);
        Assert.Equal((HttpStatusCode.Conflict, "1\n"), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
        await CosignedAsync(2);

        async Task<SignedNote> CosignedAsync(int size)
        {
            await node.SubmitAsync((Encoding.ASCII.GetBytes($"{size}"), "value"u8.ToArray()));
            SignedNote? note = null;
            await Eventually.UntilAsync(async () =>
                Cosignature.Check(note = await WitnessLab.CheckpointAsync(node, ""), witness.Key, out _) is SignatureCheck.Valid);
            Assert.Contains($"\n{size}\n", note!.Text, StringComparison.Ordinal);
            return note;
        }
    }
}
