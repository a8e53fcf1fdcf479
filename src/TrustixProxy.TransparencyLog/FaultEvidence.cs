using Google.Protobuf;

namespace TrustixProxy.TransparencyLog;

/// <summary>Why a file is not evidence.</summary>
public enum FaultEvidenceError
{
    /// <summary>The evidence is valid.</summary>
    None,

    /// <summary>Not the expected JSON: a member is missing, unknown, duplicate, or of the wrong type.</summary>
    Json,

    /// <summary>A version that this program does not read.</summary>
    Version,

    /// <summary>A field was changed: the content does not match the file's digest.</summary>
    Digest,

    /// <summary>The heads are not signed by any log the verifier knows.</summary>
    Heads,

    /// <summary>The content does not contradict itself.</summary>
    NotShown,
}

/// <summary>The evidence of a log's fault as a file: it proves, to anyone with the log's public key, that the log contradicted itself.
/// </summary>
/// <remarks>
/// <code>
/// { "version": 1, "kind": "split-view", "seenAt": "2026-11-24T12:00:00Z", "from": "https://log.example",
///   "first": "base64 protobuf head", "second": "…",
///   "key": null, "firstMap": null, "secondMap": null, "leaf": null, "proof": ["base64 node", "…"],
///   "sha256": "of all of the above as JSON without white space" }
/// </code>
/// In a <c>repeated-key</c>, the maps hold each leaf's entry without a proof. The proof is the first leaf's inclusion proof, followed by
/// the second's. The file does not contain the log's key: the verifier supplies it.</remarks>
public sealed class FaultEvidence
{
    private const int FormatVersion = 1;

    private static readonly EvidenceJson Strict = new(CanonicalJson.Options(maxDepth: 8));

    private FaultEvidence(LogFault fault, string seenAt, string from) => (Fault, SeenAt, From) = (fault, seenAt, from);

    /// <summary>The fault.</summary>
    public LogFault Fault { get; }

    /// <summary>The time at which it was observed, as the observer claims.</summary>
    public string SeenAt { get; }

    /// <summary>The source: the log's address, or a peer's.</summary>
    public string From { get; }

    /// <summary>Encodes evidence.</summary>
    public static byte[] Write(LogFault fault, DateTimeOffset seenAt, string from)
    {
        var (first, second) = fault switch
        {
            LogFault.MapContradiction contradiction => (contradiction.Entry, null),
            LogFault.TwoEntries two => (two.First, two.Second),
            LogFault.RepeatedKey repeated => (EntryOf(repeated, repeated.First), EntryOf(repeated, repeated.Second)),
            _ => (default(ProvenEntry), default(ProvenEntry)),
        };
        var proof = fault switch
        {
            LogFault.RewrittenPast past => past.Proof,
            LogFault.MapContradiction contradiction => contradiction.Inclusion,
            LogFault.RepeatedKey repeated => [.. repeated.First.Inclusion, .. repeated.Second.Inclusion],
            _ => [],
        };
        var file = new EvidenceFile(
            FormatVersion, fault.Kind,
                seenAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture), from,
            fault.Heads[0].ToMessage().ToByteArray(), fault.Heads.Count > 1 ? fault.Heads[1].ToMessage().ToByteArray() : null,
            first?.Key.ToArray(), first?.Map.ToByteArray(), second?.Map.ToByteArray(), (fault as LogFault.MapContradiction)?.Leaf.ToArray(),
                [.. proof.Select(node => node.ToArray())], null);
        return CanonicalJson.Write(file with { Sha256 = HashOf(file) }, Strict.EvidenceFile);
    }

    /// <summary>Verifies evidence with the keys of known logs.</summary>
    /// <param name="json">The file.</param>
    /// <param name="keys">The logs' keys.</param>
    /// <param name="evidence">The evidence, if valid.</param>
    /// <param name="error">Why it is invalid.</param>
    public static bool TryVerify(
        ReadOnlySpan<byte> json, IEnumerable<LogKey> keys, [NotNullWhen(true)] out FaultEvidence? evidence, out FaultEvidenceError error)
    {
        evidence = null;
        var file = CanonicalJson.Read(json, Strict.EvidenceFile);
        if (file is null)
        {
            error = FaultEvidenceError.Json;
            return false;
        }

        error = file.Version is not FormatVersion ? FaultEvidenceError.Version : file.Sha256 != HashOf(file) ? FaultEvidenceError.Digest
            : FaultEvidenceError.Heads;
        foreach (var key in error is FaultEvidenceError.Heads ? keys : [])
        {
            if (HeadOf(key, file.First) is { } first && (file.Second is null || HeadOf(key, file.Second) is not null))
            {
                var fault = FaultOf(file, first, file.Second is null ? null : HeadOf(key, file.Second));
                error = fault is { IsShown: true } ? FaultEvidenceError.None : FaultEvidenceError.NotShown;
                evidence = error is FaultEvidenceError.None ? new FaultEvidence(fault!, file.SeenAt, file.From) : null;
                break;
            }
        }

        return evidence is not null;
    }

    private static VerifiedTreeHead? HeadOf(LogKey key, byte[] bytes) =>
        WireMessage.TryParse(Wire.LogHead.Parser, bytes, out var message) && SignedTreeHead.TryRead(message, out var read, out _)
            && key.TryVerify(read, out var head, out _) ? head : null;

    private static LogFault? FaultOf(EvidenceFile file, VerifiedTreeHead first, VerifiedTreeHead? second)
    {
        var proof = file.Proof.Select(node => Digest.TryRead(node, out var digest) ? digest : (Digest?)null).ToList();
        var (firstMap, secondMap) = (MapOf(file.FirstMap), MapOf(file.SecondMap));
        var nodes = proof.OfType<Digest>().ToArray();
        return (file.Kind, second, proof.Contains(null)) switch
        {
            ("split-view", not null, false) => new LogFault.SplitView(first, second),
            ("rewritten-log", not null, false) => new LogFault.RewrittenPast(first, second, nodes, IsMapHeadLog: false),
            ("rewritten-map-heads", not null, false) => new LogFault.RewrittenPast(first, second, nodes, IsMapHeadLog: true),
            ("map-contradiction", null, false) when file.Key is not null && firstMap is not null && Digest.TryRead(
                file.Leaf, out var leaf) => new LogFault.MapContradiction(new ProvenEntry(first, file.Key, firstMap), leaf, nodes),
            ("repeated-key", null, false) when file.Key is not null && firstMap is not null && secondMap is not null =>
                RepeatedKeyOf(first, file.Key, firstMap, secondMap, nodes),
            ("two-entries", not null, false) when file.Key is not null && firstMap is not null && secondMap is not null =>
                new LogFault.TwoEntries(new ProvenEntry(first, file.Key, firstMap), new ProvenEntry(second, file.Key, secondMap)),
            _ => null,
        };
    }

    private static ProvenEntry EntryOf(LogFault.RepeatedKey fault, LogFault.KeyedLeaf leaf)
    {
        var entry = Google.Protobuf.UnsafeByteOperations.UnsafeWrap(new MapEntry(leaf.ValueDigest, leaf.Index).ToBytes());
        return new ProvenEntry(
            fault.Head, fault.Key, new Wire.MapValueResponse { Value = entry, Proof = new MapProof([], null).ToMessage() });
    }

    private static LogFault.RepeatedKey? RepeatedKeyOf(
        VerifiedTreeHead head, byte[] key, Wire.MapValueResponse firstMap, Wire.MapValueResponse secondMap, Digest[] nodes)
    {
        var size = head.Content.TreeSize;
        if (!MapEntry.TryParse(firstMap.Value.Span, out var first) || !MapEntry.TryParse(secondMap.Value.Span, out var second)
            || first.Index >= size || second.Index >= size)
        {
            return null;
        }

        var split = Math.Min(InclusionProof.Length(first.Index, size), nodes.Length);
        return new LogFault.RepeatedKey(
            head, key, new LogFault.KeyedLeaf(first.Index, first.ValueDigest, nodes[..split]),
            new LogFault.KeyedLeaf(second.Index, second.ValueDigest, nodes[split..]));
    }

    private static Wire.MapValueResponse? MapOf(byte[]? bytes) =>
        bytes is not null && WireMessage.TryParse(Wire.MapValueResponse.Parser, bytes, out var map) ? map : null;

    private static string HashOf(EvidenceFile file) =>
        Digest.Of(CanonicalJson.Write(file with { Sha256 = null }, Strict.EvidenceFile)).ToString();
}
