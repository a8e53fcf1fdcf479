using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Consensus;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>A person's word that something is no longer served, or is again. Of two on one subject the higher number holds; of two with one number, the one that revokes.</summary>
/// <param name="Number">One more than any that was known where it was given: positive.</param>
/// <param name="Subject">What it is of.</param>
/// <param name="IsUndone">Whether it takes an earlier one back.</param>
/// <param name="Reason">Why; one line.</param>
/// <param name="At">When it was given.</param>
public sealed record Revocation(long Number, RevokedSubject Subject, bool IsUndone, string Reason, DateTimeOffset At)
{
    private const string Kind = "revocation";
    private const byte FormatVersion = 1;

    /// <summary>The most characters of a reason.</summary>
    public const int MaxReason = 500;

    /// <summary>The reason of a refusal, in one line.</summary>
    public string Sentence => $"revoked (no. {Number}, {At:yyyy-MM-dd HH:mm:ss}Z): {Reason}";

    /// <summary>Whether a text may be a reason: it stands in answers and messages.</summary>
    public static bool IsReason(string text) => !string.IsNullOrWhiteSpace(text) && text.Length <= MaxReason && !text.Any(char.IsControl);

    /// <summary>Whether it holds against another on the same subject.</summary>
    internal bool Beats(Revocation? other) => other is null || Number > other.Number || (Number == other.Number && !IsUndone && other.IsUndone);

    /// <summary>As bytes that any store may keep.</summary>
    internal byte[] Seal(RecordSeal seal) =>
        seal.Seal(Kind, Subject.ToString(), [FormatVersion, .. JsonSerializer.SerializeToUtf8Bytes(new StoredRevocation(Number, IsUndone, Reason, At.ToUnixTimeMilliseconds()), StoredRevocationJson.Default.StoredRevocation)]);

    /// <summary>The revocation that these bytes are, if we sealed them for this subject; null otherwise.</summary>
    internal static Revocation? Open(RecordSeal seal, string subject, ReadOnlySpan<byte> bytes) =>
        RevokedSubject.TryParse(subject, out var parsed) && seal.TryOpen(Kind, subject, bytes, out var body) && body is [FormatVersion, ..]
            ? JsonSerializer.Deserialize(body[1..], StoredRevocationJson.Default.StoredRevocation)!.ToRevocation(parsed)
            : null;
}

/// <summary>The JSON. It is read only under a valid MAC, so it is what <see cref="Revocation"/> once wrote.</summary>
internal sealed record StoredRevocation(long Number, bool IsUndone, string Reason, long At)
{
    public Revocation ToRevocation(RevokedSubject subject) => new(Number, subject, IsUndone, Reason, DateTimeOffset.FromUnixTimeMilliseconds(At));
}

[JsonSerializable(typeof(StoredRevocation))]
internal sealed partial class StoredRevocationJson : JsonSerializerContext;
