using System.Text.Json;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>Parses the output of <c>nix path-info --json</c>, in every form from Nix 2.3 to 2.36.</summary>
/// <remarks>The forms: a list of objects with <c>path</c> (to 2.18); an object by path (2.19 to 2.32, and <c>--json-format 1</c>, which
/// adds <c>version</c> and <c>storeDir</c>); an object whose <c>info</c> is one by base name (<c>--json-format 2</c> and <c>3</c>). An
/// invalid path is <c>null</c> or has <c>"valid": false</c>. Up to 2.20, <c>ultimate</c> is absent when false, and <c>registrationTime</c>
/// is present. Without both, its value is unknown.</remarks>
public static class PathInfo
{
    /// <summary>Returns the descriptions of the valid paths and omits the others. Returns false, with the reason, for a text of unknown
    /// form.</summary>
    /// <param name="json">The text.</param>
    /// <param name="outputs">The descriptions.</param>
    /// <param name="error">The reason; empty when the text is of a known form.</param>
    /// <param name="store">The store of all its paths; Nix's when null. Spools describe Guix's in the same form.</param>
    public static bool TryParse(string json, out IReadOnlyList<DescribedOutput> outputs, out string error, Store? store = null)
    {
        store ??= Store.Nix;
        outputs = [];
        error = "";
        try
        {
            using var document = JsonDocument.Parse(json);
            outputs = [.. Objects(document.RootElement, store).Select(item => Read(item.Path, item.Info, store))];
        }
        catch (Exception exception) when (exception is JsonException or FormatException or InvalidOperationException or KeyNotFoundException
            or ArgumentOutOfRangeException)
        {
            error = $"nix path-info --json printed unexpected output: {exception.Message}";
        }

        return error.Length is 0;
    }

    private static IEnumerable<(string Path, JsonElement Info)> Objects(JsonElement root, Store store)
    {
        if (root.ValueKind is JsonValueKind.Array)
        {
            return root.EnumerateArray().Where(IsValid).Select(item => (item.GetProperty("path").GetString()!, item));
        }

        var byPath = root.TryGetProperty("info", out var info) ? info : root;
        CheckStore(root, store);
        CheckStore(byPath, store);
        return byPath.EnumerateObject().Where(member => member.Value.ValueKind is JsonValueKind.Object && IsValid(member.Value))
            .Select(member => (member.Name, member.Value));
    }

    /// <summary>Requires the expected store: base names are relative to the store named next to them.</summary>
    private static void CheckStore(JsonElement item, Store store)
    {
        if (item.TryGetProperty("storeDir", out var said) && said.ValueKind is JsonValueKind.String && said.GetString() != store.Directory)
        {
            throw new FormatException($"the store is at '{said.GetString()}', not at {store}");
        }
    }

    private static bool IsValid(JsonElement item) =>
        !(item.TryGetProperty("valid", out var valid) && valid.ValueKind is JsonValueKind.False);

    private static DescribedOutput Read(string path, JsonElement info, Store store)
    {
        CheckStore(info, store);
        var narHash = info.GetProperty("narHash").GetString();
        if (!NixHash.TryParse(narHash, out var hash, out _) || hash.Algorithm is not NixHashAlgorithm.Sha256)
        {
            throw new FormatException($"narHash is '{narHash}', not a SHA-256 hash");
        }

        var narSize = info.GetProperty("narSize").GetInt64();
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(narSize);
        var references = info.GetProperty("references").EnumerateArray().Select(reference => PathOf(reference.GetString(), store));
        return new DescribedOutput(
            new BuildStatement(PathOf(path, store), hash, narSize, [.. references]),
            IsBuiltHere(info),
            info.TryGetProperty("registrationTime", out var time) && time.ValueKind is JsonValueKind.Number
                ? DateTimeOffset.FromUnixTimeSeconds(time.GetInt64()) : null);
    }

    private static bool? IsBuiltHere(JsonElement info) => info.TryGetProperty("ultimate", out var ultimate)
        ? ultimate.ValueKind is JsonValueKind.Null ? null : ultimate.ValueKind is JsonValueKind.True
        : info.TryGetProperty("registrationTime", out _) ? false : null;

    /// <summary>Parses an absolute path, or a base name as in newer forms.</summary>
    private static StorePath PathOf(string? text, Store store) =>
        StorePath.TryParseAbsolute(text, store, out var path, out _) || StorePath.TryParse(text, store, out path, out _) ? path
            : throw new FormatException($"'{text}' is not a store path");
}
