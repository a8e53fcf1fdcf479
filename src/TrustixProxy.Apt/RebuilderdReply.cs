using System.Collections.Immutable;
using System.Text.Json;

namespace TrustixProxy.Apt;

/// <summary>What a rebuilder says of a file.</summary>
public enum RebuildStatus
{
    /// <summary>Its build gave the same.</summary>
    Good,

    /// <summary>Its build gave something else, or failed.</summary>
    Bad,

    /// <summary>It does not know the file, or has not built it yet.</summary>
    Unknown,
}

/// <summary>A rebuilder's word on a file, without proof.</summary>
/// <param name="Status">The status.</param>
/// <param name="BuildId">The build whose link is asked for; null unless the status is good.</param>
/// <param name="ArtifactId">The artifact of that build; null unless the status is good.</param>
public sealed record RebuilderdStatus(RebuildStatus Status, long? BuildId, long? ArtifactId);

/// <summary>Reads what rebuilderd answers. Source: rebuilderd 0.28, <c>/api/v1</c>.</summary>
public static class RebuilderdReply
{
    /// <summary>Reads the answer to <c>packages/binary</c>: the best word on a file among its records.</summary>
    /// <param name="json">The answer.</param>
    /// <param name="file">The file; records of others are not read.</param>
    /// <param name="status">The word; <see cref="RebuildStatus.Unknown"/> where no record is of the file.</param>
    public static bool TryReadPackages(ReadOnlyMemory<byte> json, DebFile file, [NotNullWhen(true)] out RebuilderdStatus? status)
    {
        status = Read(json, root => Array(root, "records") is { } records
            ? records.Where(record => IsOf(record, file)).Select(StatusOf).Append(new(RebuildStatus.Unknown, null, null))
                .MinBy(found => found.Status)
            : null);
        return status is not null;
    }

    /// <summary>Reads the answer to <c>meta/public-keys</c>.</summary>
    /// <param name="json">The answer.</param>
    /// <param name="keys">The instance's keys; at least one.</param>
    public static bool TryReadKeys(ReadOnlyMemory<byte> json, out ImmutableArray<RebuilderKey> keys)
    {
        var found = Read(json, root => Array(root, "current")?.Select(KeyOf).ToList());
        keys = found is null ? [] : [.. found.OfType<RebuilderKey>()];
        return keys.Length > 0 && keys.Length == found!.Count;
    }

    private static T? Read<T>(ReadOnlyMemory<byte> json, Func<JsonElement, T?> read)
        where T : class
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return read(document.RootElement);
        }
        catch (JsonException)
        {
            return null; // untrusted bytes
        }
        catch (InvalidOperationException)
        {
            return null; // a string that is not Unicode
        }
    }

    private static bool IsOf(JsonElement record, DebFile file) =>
        Text(record, "name") == file.Name && Text(record, "architecture") == file.Architecture
            && Text(record, "version") is { } version && file.IsOfVersion(version);

    private static RebuilderdStatus StatusOf(JsonElement record) =>
        (Text(record, "status"), Number(record, "build_id"), Number(record, "artifact_id")) switch
        {
            ("GOOD", { } build, { } artifact) => new(RebuildStatus.Good, build, artifact),
            ("BAD" or "FAIL", _, _) => new(RebuildStatus.Bad, null, null),
            _ => new(RebuildStatus.Unknown, null, null),
        };

    private static RebuilderKey? KeyOf(JsonElement element) =>
        element.ValueKind is JsonValueKind.String && RebuilderKey.TryParse(element.GetString()!, out var key, out _) ? key : null;

    private static List<JsonElement>? Array(JsonElement value, string name) =>
        Member(value, name) is { ValueKind: JsonValueKind.Array } array ? [.. array.EnumerateArray()] : null;

    private static string? Text(JsonElement value, string name) =>
        Member(value, name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    private static long? Number(JsonElement value, string name) =>
        Member(value, name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var id) && id >= 0 ? id : null;

    private static JsonElement? Member(JsonElement value, string name) =>
        value.ValueKind is JsonValueKind.Object && value.TryGetProperty(name, out var member) ? member : null;
}
