using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Wanted;

/// <summary>The table in a file of the state directory: replaced whole, and believed only with our seal.</summary>
/// <param name="path">The file.</param>
internal sealed class WantedSnapshot(string path, RecordSeal seal)
{
    public const string FileName = "wanted";

    private const string Kind = "wanted paths";

    private const int MaxSize = 16 << 20;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Reads the rows; none if there is no file.</summary>
    /// <param name="fault">Why the file was not believed; null if it was, or if there is none.</param>
    public IReadOnlyList<WantedRow> Read(out string? fault)
    {
        fault = null;
        try
        {
            var file = new FileInfo(path);
            return !file.Exists ? []
                : file.Length > MaxSize ? throw new InvalidDataException("it is too large")
                : Open(File.ReadAllBytes(path));
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or InvalidDataException or JsonException)
        {
            fault = exception.Message;
            return [];
        }
    }

    /// <summary>Replaces the file.</summary>
    /// <exception cref="IOException">The disk refuses.</exception>
    public void Write(IEnumerable<WantedRow> rows)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(new StoredTable([.. rows.Select(StoredRow.Of)]), WantedJson.Default.StoredTable);
        WholeFile.Replace(path, file => file.Write(seal.Seal(Kind, "", body)), OwnerOnly);
    }

    private List<WantedRow> Open(byte[] bytes) => seal.TryOpen(Kind, "", bytes, out var body)
        ? [.. JsonSerializer.Deserialize(body, WantedJson.Default.StoredTable)!.Rows.Select(row => row.ToRow())]
        : throw new InvalidDataException("it does not have our seal");
}

/// <summary>The form of the table in its file.</summary>
internal sealed record StoredTable(IReadOnlyList<StoredRow> Rows);

/// <summary>A row in it.</summary>
/// <param name="At">When it was last asked for, in seconds of Unix time.</param>
internal sealed record StoredRow(string Path, WantedReason Reason, string[] Missing, string[] Derivers, ulong[] Clients, long At)
{
    public static StoredRow Of(WantedRow row) => new(
        TextOf(row.Wanted.Path), row.Wanted.Reason, [.. row.Wanted.Missing], [.. row.Wanted.Derivers.Select(TextOf)],
        [.. row.Clients.Hashes], row.AskedAt.ToUnixTimeSeconds());

    /// <exception cref="InvalidDataException">It is no row.</exception>
    public WantedRow ToRow()
    {
        var clients = new ClientSketch([.. Clients]);
        return clients.IsSound && Enum.IsDefined(Reason)
            ? new WantedRow(new WantedPath(PathOf(Path), Reason, [.. Missing.Take(WantedPath.MaxMissing)],
                [.. Derivers.Take(WantedPath.MaxDerivers).Select(PathOf)]), clients, DateTimeOffset.FromUnixTimeSeconds(At))
            : throw new InvalidDataException($"its row of {Path} is malformed");
    }

    /// <summary>A path's base name, with its store where that is not Nix's.</summary>
    private static string TextOf(StorePath path) => path.Store == Store.Nix ? path.ToString() : path.Absolute;

    private static StorePath PathOf(string text) =>
        StorePath.TryParse(text, out var path, out _) || StorePath.TryParseAbsolute(text, out path, out _) ? path
        : throw new InvalidDataException("a row names no store path");
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(StoredTable))]
[JsonSerializable(typeof(WantedList))]
internal sealed partial class WantedJson : JsonSerializerContext;
