using System.Text.Json;
using System.Text.Json.Serialization;

namespace TrustixProxy.TransparencyLog;

/// <summary>Says which log an export is of, and how its files are laid out: <c>log.json</c>.</summary>
/// <param name="Version">The layout: 1, or 2 with checkpoints and C2SP's entries.</param>
/// <param name="LogId">The log's id.</param>
/// <param name="PublicKey">The log's public key.</param>
/// <param name="Origin">The log's name in checkpoints; null in version 1.</param>
public sealed record ArchiveDescription(
    int Version, string LogId, string PublicKey,
        [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Origin = null)
{
    private static readonly ArchiveJson Strict = new(CanonicalJson.Options(maxDepth: 4));

    /// <summary>Whether the export has checkpoints, C2SP's entries, values, and the map-head log.</summary>
    [JsonIgnore]
    public bool HasCheckpoints => Version is 2;

    /// <summary>Describes a log: in version 2 if it has an origin, else in version 1.</summary>
    public static ArchiveDescription Of(LogKey key, string? origin) => new(origin is null ? 1 : 2, key.LogId, key.ToString(), origin);

    /// <summary>Decodes a description of version 1 or 2.</summary>
    /// <exception cref="InvalidDataException">The bytes are not such a description.</exception>
    public static ArchiveDescription Decode(byte[] json)
    {
        var read = CanonicalJson.Read(json, Strict.ArchiveDescription)
            ?? throw new InvalidDataException("does not describe an export");
        return read.Version is < 1 or > 2
            ? throw new InvalidDataException($"has version {read.Version}, and this program reads 1 and 2: use a newer program")
            : read.Version is 2 == read.Origin is null
                ? throw new InvalidDataException($"has version {read.Version} {(read.Origin is null ? "without" : "with")} an origin")
            : read;
    }

    /// <summary>Encodes the description.</summary>
    public byte[] ToBytes() => CanonicalJson.Write(this, Strict.ArchiveDescription);
}

[JsonSerializable(typeof(ArchiveDescription))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class ArchiveJson : JsonSerializerContext;
