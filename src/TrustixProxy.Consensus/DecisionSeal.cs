using System.Collections.Immutable;
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
    private const byte FormatVersion = 2;

    private readonly RecordSeal _seal;
    private readonly string _policy;

    /// <summary>The seal of one signing key and one policy.</summary>
    /// <param name="seal">What seals records.</param>
    /// <param name="policy">The policy.</param>
    public DecisionSeal(RecordSeal seal, Policy policy) => (_seal, _policy) = (seal, policy.Identity.ToString());

    /// <summary>The record as bytes.</summary>
    public byte[] Seal(StorePathDigest path, DecisionRecord record) =>
        _seal.Seal(Kind, path.ToString(), [FormatVersion, .. JsonSerializer.SerializeToUtf8Bytes(Stored.Of(record, _policy))]);

    /// <summary>The record that these bytes are, if we sealed them for this path under this policy. Its age is the caller's to judge.</summary>
    public bool TryOpen(StorePathDigest path, ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DecisionRecord? record, out DecisionSealError error)
    {
        record = null;
        if (!_seal.TryOpen(Kind, path.ToString(), bytes, out var body))
        {
            error = DecisionSealError.Mac;
            return false;
        }

        var stored = body is [FormatVersion, ..] ? JsonSerializer.Deserialize<Stored>(body[1..]) : null;
        error = stored is null ? DecisionSealError.Version : stored.Policy != _policy ? DecisionSealError.Policy : DecisionSealError.None;
        record = error is DecisionSealError.None ? stored!.ToRecord() : null;
        return record is not null;
    }

    /// <summary>The JSON. It is read only under a valid MAC, so it is what this class once wrote.</summary>
    private sealed record Stored(
        string Policy, string Outcome, string Sentence, long DecidedAt, long ExpiresAt, StoredClaim? Claim, Vote[] Votes, StoredHints? Hints)
    {
        public static Stored Of(DecisionRecord record, string policy) => new(
            policy, record.Outcome, record.Sentence, record.DecidedAt.ToUnixTimeMilliseconds(), record.ExpiresAt.ToUnixTimeMilliseconds(), StoredClaim.Of(record.Claim), [.. record.Votes], StoredHints.Of(record.Hints));

        public DecisionRecord ToRecord() => new(
            Outcome, Sentence, DateTimeOffset.FromUnixTimeMilliseconds(DecidedAt), DateTimeOffset.FromUnixTimeMilliseconds(ExpiresAt), Claim?.ToClaim(), [.. Votes], Hints?.ToHints());
    }

    private sealed record StoredClaim(string Path, string NarHash, long NarSize, string[] References)
    {
        public static StoredClaim? Of(OutputClaim? claim) => claim is null
            ? null
            : new(claim.Path.ToString(), claim.NarHash.ToString(), claim.NarSize, [.. claim.References.Select(reference => reference.ToString())]);

        public OutputClaim ToClaim() => new(PathOf(Path), new NarHash(HashOf(NarHash)), NarSize, References.Select(PathOf));
    }

    private sealed record StoredHints(string Compression, string FileHash, long? FileSize, string? Deriver, string? Ca, string[] Signatures, string Upstream)
    {
        public static StoredHints? Of(NarHints? hints) => hints is null
            ? null
            : new(hints.Compression, hints.FileHash.ToString(), hints.FileSize, hints.Deriver?.ToString(), hints.ContentAddress?.ToString(), [.. hints.Signatures.Select(signature => signature.ToString())], hints.Upstream);

        public NarHints ToHints() => new(
            Compression,
            HashOf(FileHash),
            FileSize,
            Deriver is null ? null : PathOf(Deriver),
            Ca is not null && ContentAddress.TryParse(Ca, out var address) ? address : null,
            [.. Signatures.Select(text => NixSignature.TryParse(text, out var signature) ? signature : throw Damaged(text))],
            Upstream);
    }

    private static StorePath PathOf(string text) => StorePath.TryParse(text, out var path, out _) ? path : throw Damaged(text);

    private static NixHash HashOf(string text) => NixHash.TryParse(text, out var hash, out _) ? hash : throw Damaged(text);

    private static InvalidOperationException Damaged(string text) => new($"A decision record with a valid MAC holds '{text}', which this program never wrote.");
}
