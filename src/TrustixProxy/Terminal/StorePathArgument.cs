using TrustixProxy.Nix;

namespace TrustixProxy.Terminal;

/// <summary>Store paths as people type them.</summary>
internal static class StorePathArgument
{
    /// <summary>The store path that an argument names: itself, something in it, or a link to it such as <c>./result</c>.</summary>
    public static bool TryRead(string text, [NotNullWhen(true)] out StorePath? found)
    {
        if (text.Length is 0)
        {
            found = null;
            return false;
        }

        var path = Path.GetFullPath(text);
        for (var links = 0; links < 40 && !IsInStore(path)
            && new FileInfo(path).LinkTarget is { } target; links++)
        {
            path = Path.GetFullPath(target, Path.GetDirectoryName(path)!);
        }

        var absolute = string.Join('/', path.Split('/').Take(4)); // "", "nix", "store", the base name
        return StorePath.TryParseAbsolute(absolute, out found, out _);
    }

    private static bool IsInStore(string path) => path.StartsWith(Store.Nix.Directory + "/", StringComparison.Ordinal)
        || path.StartsWith(Store.Guix.Directory + "/", StringComparison.Ordinal);
}
