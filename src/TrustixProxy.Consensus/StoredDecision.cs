using System.Text.Json.Serialization;
using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>The JSON. It is read only under a valid MAC, so it is what <see cref="DecisionSeal"/> once wrote.</summary>
internal sealed record StoredDecision(
    string Policy, string Outcome, string Sentence, long DecidedAt, long ExpiresAt, StoredDecision.StoredClaim? Claim, Vote[] Votes, StoredDecision.StoredHints? Hints)
{
    public static StoredDecision Of(DecisionRecord record, string policy) => new(
        policy, record.Outcome, record.Sentence, record.DecidedAt.ToUnixTimeMilliseconds(), record.ExpiresAt.ToUnixTimeMilliseconds(), StoredClaim.Of(record.Claim), [.. record.Votes], StoredHints.Of(record.Hints));

    public DecisionRecord ToRecord() => new(
        Outcome, Sentence, DateTimeOffset.FromUnixTimeMilliseconds(DecidedAt), DateTimeOffset.FromUnixTimeMilliseconds(ExpiresAt), Claim?.ToClaim(), [.. Votes], Hints?.ToHints());

    internal sealed record StoredClaim(string Path, string NarHash, long NarSize, string[] References)
    {
        public static StoredClaim? Of(OutputClaim? claim) => claim is null
            ? null
            : new(claim.Path.ToString(), claim.NarHash.ToString(), claim.NarSize, [.. claim.References.Select(reference => reference.ToString())]);

        public OutputClaim ToClaim() => new(PathOf(Path), new NarHash(HashOf(NarHash)), NarSize, References.Select(PathOf));
    }

    internal sealed record StoredHints(string Compression, string FileHash, long? FileSize, string? Deriver, string? Ca, string[] Signatures, string Upstream)
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

[JsonSerializable(typeof(StoredDecision))]
internal sealed partial class StoredDecisionJson : JsonSerializerContext;
