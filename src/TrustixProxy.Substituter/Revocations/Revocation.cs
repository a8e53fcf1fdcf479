using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Consensus;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>The head of a log at the time of its revocation: a position in a log has meaning only relative to a head.</summary>
/// <param name="Size">Leaves it covers.</param>
/// <param name="Root">The root of their tree.</param>
public sealed record RevokedHead(long Size, Digest Root);

/// <summary>An operator's revocation or its reversal. The higher number wins; on a tie, the revocation.</summary>
/// <param name="Number">One more than the highest number known to the issuing proxy; positive.</param>
/// <param name="Subject">The path, NAR or log it applies to.</param>
/// <param name="IsUndone">Whether it reverses an earlier one.</param>
/// <param name="Reason">Reason, one line.</param>
/// <param name="At">Time of issue.</param>
public sealed record Revocation(long Number, RevokedSubject Subject, bool IsUndone, string Reason, DateTimeOffset At)
{
    private const string Kind = "revocation";
    private const byte FormatVersion = 1;

    /// <summary>Maximum characters of a reason.</summary>
    public const int MaxReason = 500;

    /// <summary>For logs: leaves must be included in this head or one consistent with it. Null for other subjects, for a log never seen,
    /// and in records of older versions.</summary>
    public RevokedHead? Head { get; init; }

    /// <summary>The reason of a refusal, in one line.</summary>
    public string Sentence => $"revoked (no. {Number}, {At:yyyy-MM-dd HH:mm:ss}Z): {Reason}";

    /// <summary>Whether a text may be a reason, since it appears in answers and messages.</summary>
    public static bool IsReason(string text) => !string.IsNullOrWhiteSpace(text) && text.Length <= MaxReason && !text.Any(char.IsControl);

    /// <summary>Whether it overrides another revocation of the same subject.</summary>
    internal bool Beats(Revocation? other) => other is null || Number > other.Number
        // an older version writes it without its head
        || (Number == other.Number && !IsUndone && (other.IsUndone || (Head is not null && other.Head is null)));

    /// <summary>Serializes it, sealed, for any store.</summary>
    internal byte[] Seal(RecordSeal seal) =>
        seal.Seal(Kind, Subject.ToString(), [FormatVersion,
            .. JsonSerializer.SerializeToUtf8Bytes(StoredRevocation.Of(this), StoredRevocationJson.Default.StoredRevocation)]);

    /// <summary>Reads a revocation; null unless the bytes carry our seal for this subject.</summary>
    internal static Revocation? Open(RecordSeal seal, string subject, ReadOnlySpan<byte> bytes) =>
        RevokedSubject.TryParse(subject, out var parsed) && seal.TryOpen(Kind, subject, bytes, out var body) && body is [FormatVersion, ..]
            ? JsonSerializer.Deserialize(body[1..], StoredRevocationJson.Default.StoredRevocation)!.ToRevocation(parsed)
            : null;
}

/// <summary>The JSON form. It is read only under a valid MAC, so <see cref="Revocation"/> wrote it.</summary>
internal sealed record StoredRevocation(long Number, bool IsUndone, string Reason, long At, StoredHead? Head = null)
{
    public static StoredRevocation Of(Revocation revocation) => new(
        revocation.Number, revocation.IsUndone, revocation.Reason, revocation.At.ToUnixTimeMilliseconds(),
        revocation.Head is { } head ? new StoredHead(head.Size, Convert.ToBase64String(head.Root.ToArray())) : null);

    public Revocation ToRevocation(RevokedSubject subject) =>
        new(Number, subject, IsUndone, Reason, DateTimeOffset.FromUnixTimeMilliseconds(At))
        {
            Head = Head is null ? null : new RevokedHead(Head.Size, new Digest(Convert.FromBase64String(Head.Root))),
        };
}

/// <summary>A head in that JSON; older versions ignore it.</summary>
internal sealed record StoredHead(long Size, string Root);

[JsonSerializable(typeof(StoredRevocation))]
// without a head the bytes are those of version 0.1
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class StoredRevocationJson : JsonSerializerContext;
