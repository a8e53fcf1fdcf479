using System.Text;

namespace TrustixProxy.Nix;

/// <summary>The text that a log is given to hold of one output: what the reference's post-build hook writes.</summary>
/// <remarks><c>{"path":"/nix/store/…","narHash":"sha256-…","narSize":123,"references":["/nix/store/…"]}</c>; no character of it needs
/// escaping.</remarks>
public static class StatementText
{
    /// <summary>The text, with the hash in the form that Nix prints since 2.4 (<c>sha256-base64</c>) and references sorted by byte, without
    /// repeats.</summary>
    public static byte[] Format(StorePath path, NixHash narHash, long narSize, IEnumerable<StorePath> references) =>
        Format(path, narHash.ToSri(), narSize, ListOf(references));

    /// <summary>Every spelling that is known to be written for one output: the hash in Nix's newer or older form, an empty list of
    /// references as <c>[]</c> or <c>null</c>.</summary>
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
        Encoding.ASCII.GetBytes($$"""{"path":"{{path.Absolute}}","narHash":"{{narHash}}","narSize":{{narSize}},"references":{{references}}}""");
}
