using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

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
/// <remarks>32 bytes HMAC-SHA256, a version byte, then JSON. The MAC covers the record's kind, the path digest, version and JSON; its key is derived from the signing key.</remarks>
public sealed class DecisionSeal
{
    private const int MacSize = 32;
    private const byte FormatVersion = 2;

    private readonly byte[] _key;
    private readonly string _policy;

    /// <summary>The seal of one signing key and one policy.</summary>
    public DecisionSeal(NixSecretKey signingKey, Policy policy)
    {
        _key = HKDF.DeriveKey(HashAlgorithmName.SHA256, signingKey.Seed.ToArray(), MacSize, info: "trustix-proxy decision record"u8.ToArray());
        _policy = policy.Identity.ToString();
    }

    /// <summary>The record as bytes.</summary>
    public byte[] Seal(StorePathDigest path, DecisionRecord record)
    {
        byte[] body = [FormatVersion, .. JsonSerializer.SerializeToUtf8Bytes(Stored.Of(record, _policy))];
        return [.. Mac(path, body), .. body];
    }

    /// <summary>The record that these bytes are, if we sealed them for this path under this policy. Its age is the caller's to judge.</summary>
    public bool TryOpen(StorePathDigest path, ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DecisionRecord? record, out DecisionSealError error)
    {
        record = null;
        if (bytes.Length <= MacSize || !CryptographicOperations.FixedTimeEquals(bytes[..MacSize], Mac(path, bytes[MacSize..])))
        {
            error = DecisionSealError.Mac;
            return false;
        }

        var stored = bytes[MacSize] is FormatVersion ? JsonSerializer.Deserialize<Stored>(bytes[(MacSize + 1)..]) : null;
        error = stored is null ? DecisionSealError.Version : stored.Policy != _policy ? DecisionSealError.Policy : DecisionSealError.None;
        record = error is DecisionSealError.None ? stored!.ToRecord() : null;
        return record is not null;
    }

    private byte[] Mac(StorePathDigest path, ReadOnlySpan<byte> body)
    {
        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _key);
        mac.AppendData("decision\0"u8);
        mac.AppendData(Encoding.ASCII.GetBytes(path.ToString()));
        mac.AppendData(body);
        return mac.GetHashAndReset();
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
