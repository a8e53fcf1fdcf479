using System.Text.Json;
using System.Text.Json.Serialization;

namespace TrustixProxy.TransparencyLog;

/// <summary>The JSON of evidence; see <see cref="FaultEvidence"/>.</summary>
internal sealed record EvidenceFile(
    int Version, string Kind, string SeenAt, string From, byte[] First, byte[]? Second, byte[]? Key, byte[]? FirstMap, byte[]? SecondMap,
        byte[]? Leaf, byte[][] Proof, string? Sha256);

[JsonSerializable(typeof(EvidenceFile))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class EvidenceJson : JsonSerializerContext;
