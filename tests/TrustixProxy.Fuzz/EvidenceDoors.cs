using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Fuzz;

/// <summary>The doors that evidence files and decision bundles pass. Both end with a digest of all before it, so damaged input is offered
/// once more with a digest that fits.</summary>
internal static class EvidenceDoors
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly TestOutput Output = TestOutput.Make();
    private static readonly MemoryLog Log = Fill();
    private static readonly Elector.Log Alice = new("alice", "alice", Log.Signer.Key);
    private static readonly Elector.Log Bob = new("bob", "bob", new LogSigner(new byte[32]).Key);
    private static readonly NixSecretKey Rebuilder = NixSecretKey.Generate("rebuilder-1");
    private static readonly Candidate Candidate = new(
        Output.Path, Output.Statement.NarHash, Output.Statement.NarSize, [.. Output.Statement.References]);
    private static readonly Policy Policy = new([Alice, Bob], 1);

    public static IEnumerable<Door> All =>
    [
        new("FaultEvidence", [.. Faults().Select(fault => FaultEvidence.Write(fault, DateTimeOffset.UnixEpoch, "https://log.example"))],
            bytes => Redigested(bytes).All(VerifyFault)),
        new("DecisionBundle", [Bundle(Claimed()), Bundle(new Ballot.Silent(SilenceReason.NoAnswer))], bytes =>
            Redigested(bytes).All(VerifyBundle)),
        new("LilaAttestation", [Attested()], ReadAttestations),
        Door.OfText("Fingerprint", text => OutputClaim.TryReadFingerprint(Encoding.Latin1.GetBytes(text), Output.Path, out var claim, out _)
            && claim.Fingerprint == text, Nix.Fingerprint.Format(
                Output.Path, Output.Statement.NarHash, Output.Statement.NarSize, [Output.Path, TestOutput.PathOf("a")])),
    ];

    private static MemoryLog Fill()
    {
        var log = new MemoryLog();
        log.Add(Output.Statement.Key, Output.Statement.Value);
        log.Add("another"u8.ToArray(), [1]);
        log.Add("one more"u8.ToArray(), [1]);
        return log;
    }

    private static IEnumerable<LogFault> Faults()
    {
        var fork = Log.Fork(1);
        fork.Add("other"u8.ToArray(), [1]);
        fork.Add("history"u8.ToArray(), [2]);
        fork.Add("and more"u8.ToArray(), [3]);
        yield return new LogFault.SplitView(Log.Head, fork.Heads[3]);
        yield return new LogFault.RewrittenPast(Log.Head, fork.Head, fork.ConsistencyProof(3, 4), IsMapHeadLog: false);
    }

    private static Ballot Claimed() => new LogEvidence(
        Log.Head, Log.MapValue(Output.Statement.Key, Log.Head.Content.MapRoot)!, [.. Log.InclusionProof(0, Log.Head.Content.TreeSize)],
            Output.Statement.Value).Judge(Alice, Output.Path);

    private static byte[] Bundle(Ballot ballot)
    {
        var verdict = Policy.Decide(
            Output.Path, new Dictionary<string, Ballot> { ["alice"] = ballot, ["bob"] = new Ballot.Silent(SilenceReason.NoAnswer) });
        var hints = new NarHints("none", Output.Statement.NarHash, Output.Statement.NarSize, null, null, [], "main");
        var record = verdict.Granted is null ? DecisionRecord.Refusal(verdict.Outcome, verdict.Sentence, DateTimeOffset.UnixEpoch)
            : DecisionRecord.Of(verdict, hints, DateTimeOffset.UnixEpoch);
        return DecisionBundle.Of(Output.Path, record, verdict, Policy).ToBytes();
    }

    /// <summary>A server's answer about the output, signed by a rebuilder.</summary>
    private static byte[] Attested() => JsonSerializer.SerializeToUtf8Bytes(new[]
    {
        new { output_hash = Output.Statement.NarHash.ToString(), output_sig = Rebuilder.Sign(Output.NarInfo().Fingerprint).ToString() },
    });

    /// <summary>Reads attestations, and holds that none but the rebuilder's own ever proves anything.</summary>
    private static bool ReadAttestations(byte[] bytes)
    {
        var attestations = LilaAttestation.TryParseAll(bytes);
        foreach (var narInfo in (attestations ?? []).Take(100).Select(attestation => attestation.Complete(Candidate)))
        {
            if (OutputClaim.TryReadSigned(narInfo, [Rebuilder.PublicKey], out var claim, out _)
                && claim.Fingerprint != Output.NarInfo().Fingerprint)
            {
                throw new InvalidOperationException($"a damaged answer proves {claim.Fingerprint}");
            }
        }

        return attestations is not null;
    }

    private static bool VerifyFault(byte[] bytes) => FaultEvidence.TryVerify(bytes, [Log.Signer.Key], out _, out _);

    private static bool VerifyBundle(byte[] bytes) => DecisionBundle.TryVerify(bytes, Policy, out _, out _, out _);

    private static IEnumerable<byte[]> Redigested(byte[] bytes)
    {
        yield return bytes;
        if (Redigest(bytes) is { } redigested)
        {
            yield return redigested;
        }
    }

    private static byte[]? Redigest(byte[] bytes)
    {
        try
        {
            if (JsonNode.Parse(bytes) is not JsonObject content || !content.ContainsKey("sha256"))
            {
                return null;
            }

            content["sha256"] = null;
            content["sha256"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content.ToJsonString(Plain))));
            return Encoding.UTF8.GetBytes(content.ToJsonString(Plain));
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException or InvalidOperationException)
        {
            return null; // no JSON object
        }
    }
}
