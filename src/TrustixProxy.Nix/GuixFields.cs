using System.Collections.Immutable;
using System.Globalization;

namespace TrustixProxy.Nix;

/// <summary>The four fields of a GNU Guix narinfo that are voted on, each once, read from the part that is signed.</summary>
/// <remarks>Stricter than Guix, which takes the first of two fields, and a NAR size that nobody signed. Every line is
/// <c>Name: value</c>. Source: Guix <c>guix/narinfo.scm</c>, <c>guix/records.scm</c>.</remarks>
internal sealed record GuixFields(StorePath StorePath, NixHash NarHash, long NarSize, ImmutableArray<StorePath> References)
{
    /// <summary>Reads lines, each ended by a newline.</summary>
    public static NarInfoError Read(string text, out GuixFields? fields)
    {
        fields = null;
        var values = new Dictionary<string, string>();
        foreach (var (name, value) in GuixLines.Of(text))
        {
            if (name.Length is 0)
            {
                return NarInfoError.Line;
            }

            if (name is "StorePath" or "NarHash" or "NarSize" or "References" && !values.TryAdd(name, value))
            {
                return NarInfoError.Duplicate;
            }
        }

        return Read(values, out fields);
    }

    private static NarInfoError Read(Dictionary<string, string> values, out GuixFields? fields)
    {
        fields = null;
        if (!values.TryGetValue("StorePath", out var text))
        {
            return NarInfoError.StorePathMissing;
        }

        if (!StorePath.TryParseAbsolute(text, Store.Guix, out var path, out _))
        {
            return NarInfoError.StorePath;
        }

        if (!values.TryGetValue("NarHash", out text))
        {
            return NarInfoError.NarHashMissing;
        }

        if (!NixHash.TryParse(text, out var narHash, out _) || narHash.Algorithm is not NixHashAlgorithm.Sha256)
        {
            return NarInfoError.NarHash;
        }

        if (!values.TryGetValue("NarSize", out text))
        {
            return NarInfoError.NarSizeMissing;
        }

        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var narSize) || narSize is 0)
        {
            return NarInfoError.NarSize;
        }

        if (!values.TryGetValue("References", out text))
        {
            return NarInfoError.ReferencesMissing;
        }

        if (ReadReferences(text) is not { } references)
        {
            return NarInfoError.References;
        }

        fields = new GuixFields(path, narHash, narSize, references);
        return NarInfoError.None;
    }

    private static ImmutableArray<StorePath>? ReadReferences(string text)
    {
        var references = ImmutableArray.CreateBuilder<StorePath>();
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!StorePath.TryParse(word, Store.Guix, out var reference, out _))
            {
                return null;
            }

            references.Add(reference);
        }

        return references.ToImmutable();
    }
}
