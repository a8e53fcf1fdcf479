using System.Text.Json;
using TrustixProxy.Nix;

namespace TrustixProxy.LogNode.Submission;

/// <summary>Reads what <c>nix path-info --json</c> prints, in every shape from Nix 2.3 to 2.36.</summary>
/// <remarks>A list of objects with <c>path</c> (to 2.18); an object by path (2.19 to 2.32, and <c>--json-format 1</c>); or an object whose <c>info</c> is one by base name (<c>--json-format 2</c> and <c>3</c>).</remarks>
public static class PathInfo
{
    /// <summary>The statements about all paths that are valid. False, with what is wrong, when the text is of no known shape.</summary>
    public static bool TryParse(string json, out IReadOnlyList<BuildStatement> statements, out string error)
    {
        statements = [];
        error = "";
        try
        {
            using var document = JsonDocument.Parse(json);
            statements = [.. Objects(document.RootElement).Select(item => Read(item.Path, item.Info))];
        }
        catch (Exception exception) when (exception is JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            error = $"nix path-info --json printed what is not understood: {exception.Message}";
        }

        return error.Length is 0;
    }

    private static IEnumerable<(string Path, JsonElement Info)> Objects(JsonElement root)
    {
        if (root.ValueKind is JsonValueKind.Array)
        {
            return root.EnumerateArray().Where(IsValid).Select(item => (item.GetProperty("path").GetString()!, item));
        }

        var byPath = root.TryGetProperty("info", out var info) ? info : root;
        return byPath.EnumerateObject().Where(member => member.Value.ValueKind is JsonValueKind.Object && IsValid(member.Value)).Select(member => (member.Name, member.Value));
    }

    private static bool IsValid(JsonElement item) => !(item.TryGetProperty("valid", out var valid) && valid.ValueKind is JsonValueKind.False);

    private static BuildStatement Read(string path, JsonElement info)
    {
        var narHash = info.GetProperty("narHash").GetString();
        return NixHash.TryParse(narHash, out var hash, out _) && hash.Algorithm is NixHashAlgorithm.Sha256
            ? new BuildStatement(PathOf(path), hash, info.GetProperty("narSize").GetInt64(), [.. info.GetProperty("references").EnumerateArray().Select(reference => PathOf(reference.GetString()!))])
            : throw new FormatException($"narHash is '{narHash}', not a SHA-256 hash");
    }

    /// <summary>An absolute path, or a base name as newer shapes have it.</summary>
    private static StorePath PathOf(string text) =>
        StorePath.TryParseAbsolute(text, out var path, out _) || StorePath.TryParse(text, out path, out _) ? path : throw new FormatException($"'{text}' is not a store path");
}
