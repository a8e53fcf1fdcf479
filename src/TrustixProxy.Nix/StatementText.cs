using System.Text;

namespace TrustixProxy.Nix;

/// <summary>A log's value for one output, as the reference's post-build hook writes it.</summary>
/// <remarks><c>{"path":"/nix/store/…","narHash":"sha256-…","narSize":123,"references":["/nix/store/…"]}</c>; no character of it needs
/// escaping.</remarks>
public static class StatementText
{
    /// <summary>Formats the value, with the hash in Nix's form since 2.4 (<c>sha256-base64</c>) and references sorted by byte, without
    /// repeats.</summary>
    public static byte[] Format(StorePath path, NixHash narHash, long narSize, IEnumerable<StorePath> references) =>
        Format(path, narHash.ToSri(), narSize, ListOf(references));

    /// <summary>Returns every known form of the value for one output: the hash in Nix's newer or older form, an empty list of references as
    /// <c>[]</c> or <c>null</c>.</summary>
    public static IEnumerable<byte[]> AllSpellings(StorePath path, NixHash narHash, long narSize, IEnumerable<StorePath> references)
    {
        var list = ListOf(references);
        foreach (var hash in new[] { narHash.ToSri(), narHash.ToString() })
        {
            yield return Format(path, hash, narSize, list);
            if (list is "[]")
            {
                yield return Format(path, hash, narSize, "null");
            }
        }
    }

    private static string ListOf(IEnumerable<StorePath> references) =>
        $"[{string.Join(',', references.Distinct().Order().Select(reference => $"\"{reference.Absolute}\""))}]";

    private static byte[] Format(StorePath path, string narHash, long narSize, string references) =>
        Encoding.ASCII.GetBytes(
            $$"""{"path":"{{path.Absolute}}","narHash":"{{narHash}}","narSize":{{narSize}},"references":{{references}}}""");
}
