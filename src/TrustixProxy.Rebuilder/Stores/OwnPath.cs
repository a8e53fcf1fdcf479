using System.Text.Json;
using TrustixProxy.Nix;
using TrustixProxy.Publisher;

namespace TrustixProxy.Rebuilder.Stores;

/// <summary>A valid path of the rebuilder's own store.</summary>
/// <param name="Output">What Nix says of it.</param>
/// <param name="ProvesItself">Whether its path is made from its content.</param>
internal sealed record OwnPath(DescribedOutput Output, bool ProvesItself)
{
    /// <summary>The path.</summary>
    public StorePath Path => Output.Statement.Path;

    /// <summary>Whether it was built in this store, neither fetched nor copied.</summary>
    public bool IsBuiltHere => Output.IsBuiltHere is true;

    /// <summary>Reads what <c>nix path-info --json</c> printed.</summary>
    /// <exception cref="NixException">The text is of an unknown form.</exception>
    public static IEnumerable<OwnPath> Read(string json)
    {
        if (!PathInfo.TryParse(json, out var outputs, out var error))
        {
            throw new NixException(error);
        }

        var addressed = ContentAddressed(json);
        return outputs.Select(output => new OwnPath(output, addressed.Contains(output.Statement.Path.Digest.ToString())));
    }

    /// <summary>The digests of the paths that have a content address, which Nix has checked when they came.</summary>
    private static HashSet<string> ContentAddressed(string json)
    {
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement;
        var list = root.ValueKind is JsonValueKind.Array
            ? root.EnumerateArray().Select(item => (Name: item.GetProperty("path").GetString()!, Info: item))
            : (root.TryGetProperty("info", out var info) ? info : root).EnumerateObject().Select(item => (item.Name, Info: item.Value));
        return [.. list.Where(item => item.Info.ValueKind is JsonValueKind.Object && item.Info.TryGetProperty("ca", out var ca)
            && (ca.ValueKind is JsonValueKind.Object || (ca.ValueKind is JsonValueKind.String && ca.GetString() is not "")))
            .Select(item => item.Name[(item.Name.LastIndexOf('/') + 1)..].Split('-')[0])];
    }
}
