using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Consensus;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>The head that a log had shown when what it holds was revoked: a position in a log means something only with a head.</summary>
/// <param name="Size">How many leaves it covers.</param>
/// <param name="Root">The root of their tree.</param>
public sealed record RevokedHead(long Size, Digest Root);

/// <summary>A person's word that something is no longer served, or is again. Of two on one subject the higher number holds; of two with one
/// number, the one that revokes.</summary>
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

    /// <summary>Of a log: the head that leaves must be included in, or in one consistent with it. Null for other subjects, where the log
    /// was never seen, and from versions before.</summary>
    public RevokedHead? Head { get; init; }

    /// <summary>The reason of a refusal, in one line.</summary>
    public string Sentence => $"revoked (no. {Number}, {At:yyyy-MM-dd HH:mm:ss}Z): {Reason}";

    /// <summary>Whether a text may be a reason: it stands in answers and messages.</summary>
    public static bool IsReason(string text) => !string.IsNullOrWhiteSpace(text) && text.Length <= MaxReason && !text.Any(char.IsControl);

    /// <summary>Whether it holds against another on the same subject.</summary>
    internal bool Beats(Revocation? other) => other is null || Number > other.Number
        // a version before shows it without its head
        || (Number == other.Number && !IsUndone && (other.IsUndone || (Head is not null && other.Head is null)));

    /// <summary>As bytes that any store may keep.</summary>
    internal byte[] Seal(RecordSeal seal) =>
        seal.Seal(Kind, Subject.ToString(), [FormatVersion,
            .. JsonSerializer.SerializeToUtf8Bytes(StoredRevocation.Of(this), StoredRevocationJson.Default.StoredRevocation)]);

    /// <summary>The revocation that these bytes are, if we sealed them for this subject; null otherwise.</summary>
    internal static Revocation? Open(RecordSeal seal, string subject, ReadOnlySpan<byte> bytes) =>
        RevokedSubject.TryParse(subject, out var parsed) && seal.TryOpen(Kind, subject, bytes, out var body) && body is [FormatVersion, ..]
            ? JsonSerializer.Deserialize(body[1..], StoredRevocationJson.Default.StoredRevocation)!.ToRevocation(parsed)
            : null;
}

/// <summary>The JSON. It is read only under a valid MAC, so it is what <see cref="Revocation"/> once wrote.</summary>
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

/// <summary>A head in that JSON; versions before skip it.</summary>
internal sealed record StoredHead(long Size, string Root);

[JsonSerializable(typeof(StoredRevocation))]
// without a head the bytes are those of version 0.1
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
internal sealed partial class StoredRevocationJson : JsonSerializerContext;
