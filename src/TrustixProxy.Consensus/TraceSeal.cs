using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Nix;

namespace TrustixProxy.Consensus;

/// <summary>An agreement on a build trace, as it is kept. Created from a verdict, or by <see cref="TraceSeal.TryOpen"/> from bytes with our
/// MAC.</summary>
public sealed class TraceRecord
{
    internal TraceRecord(TraceKey key, StorePath outPath, DateTimeOffset decidedAt) =>
        (Key, OutPath, DecidedAt) = (key, outPath, decidedAt);

    /// <summary>The output.</summary>
    public TraceKey Key { get; }

    /// <summary>Where it is, as was agreed. Whether that path may be served is decided apart.</summary>
    public StorePath OutPath { get; }

    /// <summary>The time of the decision.</summary>
    public DateTimeOffset DecidedAt { get; }

    /// <summary>The time at which it expires.</summary>
    public DateTimeOffset ExpiresAt => DecidedAt + DecisionRecord.AgreementLifetime;

    /// <summary>Creates the record of what is agreed on.</summary>
    /// <exception cref="ArgumentException">The verdict is a refusal.</exception>
    public static TraceRecord Of(TraceVerdict verdict, DateTimeOffset decidedAt) => verdict.Granted is { } claim
        ? new TraceRecord(claim.Key, claim.OutPath, decidedAt)
        : throw new ArgumentException("A refusal is not kept.", nameof(verdict));
}

/// <summary>Encodes agreements on build traces for a store that is not trusted, and decodes them.</summary>
/// <remarks>A version byte, then JSON, sealed by <see cref="RecordSeal"/> as a kind of its own under the key's text: no record of a path
/// can pass for one of a trace.</remarks>
public sealed class TraceSeal(RecordSeal seal, Policy policy)
{
    private const string Kind = "build-trace";
    private const byte FormatVersion = 1;

    private readonly string _policy = policy.Identity.ToString();

    /// <summary>Encodes and seals a record.</summary>
    public byte[] Seal(TraceRecord record) => seal.Seal(Kind, record.Key.Text, [FormatVersion,
        .. JsonSerializer.SerializeToUtf8Bytes(
            new StoredTrace(_policy, record.OutPath.ToString(), record.DecidedAt.ToUnixTimeMilliseconds()),
            StoredTraceJson.Default.StoredTrace)]);

    /// <summary>Opens a record if we sealed it for this key under this policy. The caller checks its age.</summary>
    public bool TryOpen(TraceKey key, ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out TraceRecord? record)
    {
        var isOurs = seal.TryOpen(Kind, key.Text, bytes, out var body) && body is [FormatVersion, ..];
        var stored = isOurs ? JsonSerializer.Deserialize(body[1..], StoredTraceJson.Default.StoredTrace) : null;
        record = stored?.Policy == _policy && StorePath.TryParse(stored.OutPath, out var outPath, out _)
            ? new TraceRecord(key, outPath, DateTimeOffset.FromUnixTimeMilliseconds(stored.DecidedAt)) : null;
        return record is not null;
    }
}

/// <summary>The JSON of a kept trace.</summary>
internal sealed record StoredTrace(string Policy, string OutPath, long DecidedAt);

[JsonSerializable(typeof(StoredTrace))]
internal sealed partial class StoredTraceJson : JsonSerializerContext;
