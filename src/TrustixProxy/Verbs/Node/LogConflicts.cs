using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using TrustixProxy.LogNode.Archive;
using TrustixProxy.LogNode.Hosting;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.Nars.Comparison;
using TrustixProxy.Nix;
using TrustixProxy.Terminal;

namespace TrustixProxy.Verbs.Node;

/// <summary>What <c>trustix-proxy log conflicts</c> prints: for each key who says what, and since when.</summary>
internal static class LogConflicts
{
    private const string Unknown = "unknown";

    /// <summary>Lists the keys of a log for which different values were submitted.</summary>
    /// <param name="isJson">Whether to print one JSON object for each other value: what the log has signed about it, and who said
    /// what.</param>
    public static int List(LogNodeOptions options, HostedLogOptions log, bool isJson)
    {
        var (keys, values) = (0, 0);
        foreach (var key in LogStore.Disputed(options.StateDirectory, log))
        {
            (keys, values) = (keys + 1, values + key.Others.Count);
            Array.ForEach(isJson ? [.. key.Others.Select(other => Json(key, other))] : Text(key), Console.WriteLine);
        }

        if (!isJson)
        {
            Console.WriteLine($"{log.Name}: {values} {(values is 1 ? "conflict" : "conflicts")} on {keys} {(keys is 1 ? "key" : "keys")}");
        }

        return ExitCode.Good;
    }

    private static string[] Text(DisputedKey key) =>
    [
        $"{Printable.Of(key.Key.Span)} (entry {key.Index})",
        Text(key.Writers, key.Value.Span),
        .. key.Others.Select(other => Text(other.Writers, other.Conflict.OtherValue.Span)),
        .. PathOf(key) is { } path ? [$"  see in what they differ: trustix-proxy diff {path.Absolute}"] : Array.Empty<string>(),
    ];

    /// <summary>A value, and since when who says so.</summary>
    private static string Text(IReadOnlyList<ValueWriter> writers, ReadOnlySpan<byte> value) =>
        $"  {string.Join(", ", writers.Select(writer => $"{writer.Writer ?? Unknown} since {TimeOf(writer.Since)}"))}: {Short(value)}";

    private static string Json(DisputedKey key, OtherValue other)
    {
        var json = JsonNode.Parse(JsonFormatter.Default.Format(other.Conflict))!.AsObject();
        json["path"] = PathOf(key)?.Absolute;
        json["held"] = Json(key.Writers, key.Value.Span);
        json["other"] = Json(other.Writers, other.Conflict.OtherValue.Span);
        return json.ToJsonString();
    }

    private static JsonObject Json(IReadOnlyList<ValueWriter> writers, ReadOnlySpan<byte> value) => new()
    {
        ["narHash"] = Read(value)?.Hash.ToString(),
        ["writers"] = new JsonArray([.. writers.Select(writer => (JsonNode)new JsonObject
        {
            ["writer"] = writer.Writer,
            ["since"] = TimeOf(writer.Since),
        })]),
    };

    private static StorePath? PathOf(DisputedKey key) =>
        StorePath.TryParseAbsolute(System.Text.Encoding.UTF8.GetString(key.Key.Span), out var path, out _) ? path : null;

    /// <summary>What a statement says of its NAR; another value as it is.</summary>
    private static string Short(ReadOnlySpan<byte> value) => Read(value) is var (hash, size, references)
        ? $"{hash}, {size:N0} bytes, {references} {(references is 1 ? "reference" : "references")}" : Printable.Of(value);

    /// <summary>Reads a statement; null if the value is none. Only to be shown: no vote.</summary>
    private static (NixHash Hash, long Size, int References)? Read(ReadOnlySpan<byte> value)
    {
        try
        {
            return JsonNode.Parse(value) is JsonObject statement && NixHash.TryParse((string?)statement["narHash"], out var hash, out _)
                ? (hash, (long?)statement["narSize"] ?? 0, statement["references"]?.AsArray().Count ?? 0) : null;
        }
        catch (Exception exception) when (
            exception is JsonException or ArgumentException or InvalidOperationException or FormatException)
        {
            return null; // not JSON, a member twice, or of another kind
        }
    }

    /// <summary>The time of so many milliseconds since 1970; the number itself where no calendar has that time.</summary>
    private static string TimeOf(long milliseconds) =>
        milliseconds >= 0 && milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? $"{DateTimeOffset.FromUnixTimeMilliseconds(milliseconds):yyyy-MM-ddTHH:mm:ssZ}" : $"{milliseconds} ms after 1970";
}
