using System.Text.Json;
using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>Why stored bytes are not a decision of ours; each error counts as a cache miss.</summary>
public enum DecisionSealError
{
    /// <summary>The bytes are a valid decision.</summary>
    None,

    /// <summary>The MAC for this path is invalid: altered, truncated, sealed by another key, or stored for another path.</summary>
    Mac,

    /// <summary>A version that this program does not read.</summary>
    Version,

    /// <summary>Decided under another policy.</summary>
    Policy,
}

/// <summary>Encodes decisions for any store, and decodes them: no store is trusted with a verdict.</summary>
/// <remarks>A version byte, then JSON, sealed by <see cref="RecordSeal"/> under the path digest.</remarks>
public sealed class DecisionSeal
{
    private const string Kind = "decision";
    private const byte FormatVersion = 3;

    private readonly RecordSeal _seal;
    private readonly string _policy;

    /// <summary>Creates the seal of one signing key and one policy.</summary>
    /// <param name="seal">Seals the records.</param>
    /// <param name="policy">The policy.</param>
    public DecisionSeal(RecordSeal seal, Policy policy) => (_seal, _policy) = (seal, policy.Identity.ToString());

    /// <summary>Encodes and seals a record.</summary>
    public byte[] Seal(StorePathDigest path, DecisionRecord record) =>
        _seal.Seal(Kind, path.ToString(), [FormatVersion,
            .. JsonSerializer.SerializeToUtf8Bytes(StoredDecision.Of(record, _policy), StoredDecisionJson.Default.StoredDecision)]);

    /// <summary>Opens a record if we sealed it for this path under this policy. The caller checks its age.</summary>
    public bool TryOpen(
        StorePathDigest path, ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DecisionRecord? record, out DecisionSealError error)
    {
        record = null;
        if (!_seal.TryOpen(Kind, path.ToString(), bytes, out var body))
        {
            error = DecisionSealError.Mac;
            return false;
        }

        var stored = body is [FormatVersion, ..] ? JsonSerializer.Deserialize(body[1..], StoredDecisionJson.Default.StoredDecision) : null;
        error = stored is null ? DecisionSealError.Version : stored.Policy != _policy ? DecisionSealError.Policy : DecisionSealError.None;
        record = error is DecisionSealError.None ? stored!.ToRecord() : null;
        return record is not null;
    }
}
