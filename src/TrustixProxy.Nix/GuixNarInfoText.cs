using System.Globalization;
using System.Text;

namespace TrustixProxy.Nix;

/// <summary>Formats narinfos as GNU Guix does.</summary>
public static class GuixNarInfoText
{
    /// <summary>Formats the part that is signed: the four fields that are voted on.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="narSize"/> is not positive.</exception>
    public static string Head(StorePath path, NixHash narHash, long narSize, IEnumerable<StorePath> references)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(narSize);
        var sorted = string.Join(' ', references.Distinct().Order());
        return $"StorePath: {path.Absolute}\nNarHash: {narHash}\nNarSize: {narSize}\nReferences: {sorted}\n";
    }

    /// <summary>Formats a narinfo with one location of the NAR. What somebody signed stays as it is.</summary>
    public static string Format(NarInfo narInfo)
    {
        var head = narInfo.GuixSignature is { } signature ? $"{signature}\n"
            : Head(narInfo.StorePath, narInfo.NarHash, narInfo.NarSize, narInfo.References);
        var text = new StringBuilder(head);
        if (narInfo.Deriver is { } deriver && !head.Contains("\nDeriver: ", StringComparison.Ordinal))
        {
            text.Append("Deriver: ").Append(deriver).Append('\n'); // a hint, which is not signed: builds of one output may differ in it
        }

        text.Append("URL: ").Append(narInfo.Url).Append("\nCompression: ").Append(narInfo.Compression).Append('\n');
        return narInfo.FileSize is { } size
            ? text.Append("FileSize: ").Append(size.ToString(CultureInfo.InvariantCulture)).Append('\n').ToString() : text.ToString();
    }
}
