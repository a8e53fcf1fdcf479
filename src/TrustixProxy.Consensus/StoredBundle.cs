using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Google.Protobuf;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Consensus;

/// <summary>The JSON of <see cref="DecisionBundle"/>.</summary>
internal sealed record StoredBundle(
    int Version, string Path, string Outcome, string DecidedAt, BundledClaim? Claim, string? NarInfo, BundledPolicy Policy,
        BundledAnswer[] Answers, string? Sha256);

[JsonSerializable(typeof(StoredBundle))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class StoredBundleJson : JsonSerializerContext;

/// <summary>The policy decided under.</summary>
internal sealed record BundledPolicy(string Identity, string Text);

/// <summary>The claim served for the path; equal when all fields are.</summary>
internal sealed record BundledClaim(string NarHash, long NarSize, string[] References)
{
    public static BundledClaim? Of(OutputClaim? claim) =>
        claim is null ? null
            : new BundledClaim(claim.NarHash.ToString(), claim.NarSize, [.. claim.References.Select(reference => reference.ToString())]);

    public bool Equals(BundledClaim? other) =>
        other is not null && NarHash == other.NarHash && NarSize == other.NarSize && References.SequenceEqual(other.References);

    public override int GetHashCode() => NarHash.GetHashCode(StringComparison.Ordinal);
}

/// <summary>One elector's answer; exactly one member other than the name and the age is present.</summary>
internal sealed record BundledAnswer(
    string Elector,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] BundledLog? Log = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? NarInfo = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? NotFound = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Silent = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Proof = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] long? Age = null)
{
    public static BundledAnswer Of(Answer answer) => ProofOf(answer) with
    {
        Age = (long?)(answer.Ballot as Ballot.Claimed)?.Age?.TotalSeconds,
    };

    private static BundledAnswer ProofOf(Answer answer) => answer.Ballot switch
    {
        Ballot.Claimed { Proof: VoteProof.ByLog { Evidence: { } evidence } } => new(answer.Elector.Name, Log: BundledLog.Of(evidence)),
        Ballot.Claimed { Proof: VoteProof.BySignature { NarInfo: { } narInfo } } => new(answer.Elector.Name, NarInfo: narInfo.ToString()),
        Ballot.Claimed { Proof: VoteProof.ByProofFile proof } => new(answer.Elector.Name, Proof: Encoding.UTF8.GetString(proof.File.Span)),
        Ballot.Absent { Evidence: { } evidence } => new(answer.Elector.Name, Log: BundledLog.Of(evidence)),
        Ballot.Absent absent => new(answer.Elector.Name, NotFound: absent.HeadSize),
        Ballot.Silent silent => new(answer.Elector.Name, Silent: silent.Reason.ToString()),
        _ => throw new ArgumentException($"The proof of {answer.Elector.Name}'s vote was not kept.", nameof(answer)),
    };

    /// <summary>Whether a log's head comes with the proof of its map root, where inclusion proofs are required.</summary>
    public bool ShowsMapRoot(Elector elector) =>
        Log is null or { MapRoot: not null } || elector is Elector.Log { RequiresInclusionProof: false };

    /// <summary>Judges the ballot that the answer represents.</summary>
    public DecisionBundleError Judge(Elector elector, StorePath path, DateTimeOffset decidedAt, out Ballot? ballot)
    {
        var members = new object?[] { Log, NarInfo, NotFound, Silent, Proof }.Count(member => member is not null);
        if (members is not 1 || Age is < 0 or > int.MaxValue)
        {
            ballot = null;
            return DecisionBundleError.Json;
        }

        (var error, ballot) = (this, elector) switch
        {
            ({ Log: { } log }, Elector.Log by) => log.Judge(by, path, decidedAt),
            ({ NarInfo: { } text }, Elector.Cache by) => (DecisionBundleError.None, JudgeNarInfo(text, by, path)),
            ({ Proof: { } text }, Elector.ProofFiles by) =>
                (DecisionBundleError.None, ProofFile.Judge(Encoding.UTF8.GetBytes(text), by, path, decidedAt) as Ballot.Claimed),
            ({ NotFound: { } size }, _) => (DecisionBundleError.None, new Ballot.Absent(IsProven: false, size)),
            ({ Silent: { } reason }, _) =>
                (DecisionBundleError.None, Enum.TryParse<SilenceReason>(reason, out var known) && known.ToString() == reason
                ? new Ballot.Silent(known) : null),
            _ => (DecisionBundleError.Electors, null),
        };
        ballot = ballot is Ballot.Claimed vote && Age is { } seconds ? vote with { Age = TimeSpan.FromSeconds(seconds) } : ballot;
        return error is DecisionBundleError.None && ballot is null ? DecisionBundleError.Answer : error;
    }

    private static Ballot.Claimed? JudgeNarInfo(string text, Elector.Cache elector, StorePath path) =>
        Nix.NarInfo.TryParse(Encoding.UTF8.GetBytes(text), path.Store, out var narInfo, out _) && narInfo.StorePath == path
        && OutputClaim.TryReadSigned(narInfo, elector.Keys, out var claim, out var signature)
            ? new Ballot.Claimed(claim, new VoteProof.BySignature(signature) { NarInfo = narInfo })
            : null;
}

/// <summary>A log's answer: wire messages in base64.</summary>
internal sealed record BundledLog(
    byte[] Head,
    byte[] Map,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] byte[][]? Inclusion = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] byte[]? Value = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] byte[][]? MapRoot = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string[]? Checkpoints = null)
{
    public static BundledLog Of(LogEvidence evidence) => new(
        evidence.Head.ToMessage().ToByteArray(), evidence.Map.ToByteArray(),
        BytesOf(evidence.Inclusion), evidence.Value?.ToArray(), BytesOf(evidence.Head.MapRootProof), evidence.Witnessed?.Notes.ToArray());

    /// <summary>Judges the ballot that it proves; null when it proves none.</summary>
    public (DecisionBundleError Error, Ballot? Ballot) Judge(Elector.Log elector, StorePath path, DateTimeOffset decidedAt)
    {
        if (!WireMessage.TryParse(LogHead.Parser, Head, out var message) || !SignedTreeHead.TryRead(message, out var read, out _)
            || !elector.Key.TryVerify(read, out var head, out _))
        {
            return (DecisionBundleError.Head, null);
        }

        if (!TryReadNodes(MapRoot, out var mapRoot) || (mapRoot is { } proof && !head.TryShowMapRoot(proof.AsSpan(), out head, out _)))
        {
            return (DecisionBundleError.Head, null);
        }

        if (!WireMessage.TryParse(MapValueResponse.Parser, Map, out var map) || !TryReadNodes(Inclusion, out var nodes))
        {
            return (DecisionBundleError.Answer, null);
        }

        var witnessing = JudgeCheckpoints(elector, head.Content, decidedAt);
        var ballot = new LogEvidence(head, map, nodes, Value is null ? null : (ReadOnlyMemory<byte>?)Value)
        {
            Witnessed = witnessing as CheckpointVerdict.Witnessed,
        }.Judge(elector, path);
        return witnessing switch
        {
            null or CheckpointVerdict.Witnessed => (DecisionBundleError.None, ballot.IsFirm ? ballot : null),
            CheckpointVerdict.Unwitnessed { Reason: not UnwitnessedReason.NoCheckpoint } => (DecisionBundleError.Witnesses, null),
            _ => (DecisionBundleError.Checkpoint, null),
        };
    }

    /// <summary>Judges the checkpoints as the proxy did when it decided; null where there are none, and none are demanded.</summary>
    private CheckpointVerdict? JudgeCheckpoints(Elector.Log elector, TreeHead head, DateTimeOffset decidedAt) =>
        (elector.Witnesses, Checkpoints) switch
        {
            (null, null) => null,
            ({ } demand, [{ } log, { } mapHeads]) =>
                demand.Verify(head, Encoding.UTF8.GetBytes(log), Encoding.UTF8.GetBytes(mapHeads), decidedAt),
            _ => new CheckpointVerdict.Refused(CheckpointError.Note),
        };

    private static byte[][]? BytesOf(ImmutableArray<Digest>? nodes) => nodes?.Select(node => node.ToArray()).ToArray();

    private static bool TryReadNodes(byte[][]? proof, out ImmutableArray<Digest>? nodes)
    {
        nodes = null;
        if (proof is null)
        {
            return true;
        }

        var all = ImmutableArray.CreateBuilder<Digest>(proof.Length);
        foreach (var bytes in proof)
        {
            if (!Digest.TryRead(bytes, out var node))
            {
                return false;
            }

            all.Add(node);
        }

        nodes = all.MoveToImmutable();
        return true;
    }
}
