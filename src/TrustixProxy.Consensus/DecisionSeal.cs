using System.Text.Json;
using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>Why stored bytes are no decision of ours: a miss, whatever the cause.</summary>
public enum DecisionSealError
{
    /// <summary>They are one.</summary>
    None,

    /// <summary>They do not bear our MAC for this path: altered, cut, of another key, or put under another path.</summary>
    Mac,

    /// <summary>They were written by a version that this one does not read.</summary>
    Version,

    /// <summary>They were decided under another policy.</summary>
    Policy,
}

/// <summary>Turns decisions into bytes that any store may keep, and back: no store is trusted with a verdict.</summary>
/// <remarks>A version byte, then JSON, sealed by <see cref="RecordSeal"/> under the path digest.</remarks>
public sealed class DecisionSeal
{
    private const string Kind = "decision";
    private const byte FormatVersion = 3;

    private readonly RecordSeal _seal;
    private readonly string _policy;

    /// <summary>The seal of one signing key and one policy.</summary>
    /// <param name="seal">What seals records.</param>
    /// <param name="policy">The policy.</param>
    public DecisionSeal(RecordSeal seal, Policy policy) => (_seal, _policy) = (seal, policy.Identity.ToString());

    /// <summary>The record as bytes.</summary>
    public byte[] Seal(StorePathDigest path, DecisionRecord record) =>
        _seal.Seal(Kind, path.ToString(), [FormatVersion,
            .. JsonSerializer.SerializeToUtf8Bytes(StoredDecision.Of(record, _policy), StoredDecisionJson.Default.StoredDecision)]);

    /// <summary>The record that these bytes are, if we sealed them for this path under this policy. Its age is the caller's to
    /// judge.</summary>
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
