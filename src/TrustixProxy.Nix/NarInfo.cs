using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace TrustixProxy.Nix;

/// <summary>A binary cache's narinfo of one store path: the fields that Nix signs, and unsigned hints about the NAR's location.</summary>
/// <remarks>Source: nix <c>src/libstore/nar-info.cc</c>. Equal when the texts are equal.</remarks>
public sealed record NarInfo
{
    /// <summary>Maximum size of a narinfo, in bytes: 1 MiB. Real ones have 0.5 to some tens of KiB; Nix itself sets no limit.</summary>
    public const int MaxSize = 1 << 20;

    /// <summary>The described path.</summary>
    public required StorePath StorePath { get; init; }

    /// <summary>The NAR's location, relative to the cache or absolute; not empty. A hint: not signed.</summary>
    public required string Url { get; init; }

    /// <summary>The NAR's compression, in lower case without <c>x-</c>; <c>bzip2</c> when the line is missing or empty, as in Nix. A
    /// hint.</summary>
    public required string Compression { get; init; }

    /// <summary>Hash of the compressed NAR; null when absent. A hint: Nix never checks it.</summary>
    public NixHash? FileHash { get; init; }

    /// <summary>Length of the compressed NAR in bytes; null when absent. A hint.</summary>
    public long? FileSize { get; init; }

    /// <summary>SHA-256 of the uncompressed NAR.</summary>
    public required NixHash NarHash { get; init; }

    /// <summary>Length of the uncompressed NAR in bytes; positive.</summary>
    public required long NarSize { get; init; }

    /// <summary>The paths it references, possibly itself.</summary>
    public ImmutableArray<StorePath> References { get; init; } = [];

    /// <summary>The derivation that built it; null when absent, <c>unknown-deriver</c>, or malformed. A hint.</summary>
    public StorePath? Deriver { get; init; }

    /// <summary>The well-formed signatures; malformed lines are omitted, because they make some clients fail.</summary>
    public ImmutableArray<NixSignature> Signatures { get; init; } = [];

    /// <summary>The content address; null when absent or malformed. Not signed: anyone may have added it.</summary>
    public ContentAddress? ContentAddress { get; init; }

    /// <summary>GNU Guix's signature; null when there is none, and in a narinfo of Nix.</summary>
    public GuixSignature? GuixSignature { get; init; }

    /// <summary>The text that is voted on, and that Nix signs.</summary>
    public string Fingerprint => Nix.Fingerprint.Format(StorePath, NarHash, NarSize, References);

    /// <summary>Parses a whole narinfo with Nix's tolerance; <see cref="NarInfoError"/> lists what is refused.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, [NotNullWhen(true)] out NarInfo? narInfo, out NarInfoError error)
    {
        var reader = new NarInfoReader();
        error = reader.Read(text);
        narInfo = error is NarInfoError.None ? reader.ToNarInfo() : null;
        return narInfo is not null;
    }

    /// <summary>Parses a whole narinfo of a store in the form of that store.</summary>
    public static bool TryParse(
        ReadOnlySpan<byte> text, Store store, [NotNullWhen(true)] out NarInfo? narInfo, out NarInfoError error)
    {
        if (store == Store.Nix)
        {
            return TryParse(text, out narInfo, out error);
        }

        error = new GuixNarInfoReader().Read(text, out narInfo);
        return narInfo is not null;
    }

    /// <inheritdoc/>
    public bool Equals(NarInfo? other) => ToString() == other?.ToString();

    /// <inheritdoc/>
    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    /// <summary>Formats the narinfo as Nix does: these fields, in this order, each line ended by a newline; <c>References: </c> with its
    /// space even when empty. A path in GNU Guix's store has Guix's form.</summary>
    public override string ToString()
    {
        if (StorePath.Store == Store.Guix)
        {
            return GuixNarInfoText.Format(this);
        }

        var text = new StringBuilder(1024);
        Line(text, "StorePath", StorePath.Absolute);
        Line(text, "URL", Url);
        Line(text, "Compression", Compression);
        Line(text, "FileHash", FileHash?.ToString());
        Line(text, "FileSize", FileSize?.ToString(CultureInfo.InvariantCulture));
        Line(text, "NarHash", NarHash.ToString());
        Line(text, "NarSize", NarSize.ToString(CultureInfo.InvariantCulture));
        Line(text, "References", string.Join(' ', References));
        Line(text, "Deriver", Deriver?.ToString());
        foreach (var signature in Signatures)
        {
            Line(text, "Sig", signature.ToString());
        }

        Line(text, "CA", ContentAddress?.ToString());
        return text.ToString();
    }

    private static void Line(StringBuilder text, string name, string? value)
    {
        if (value is not null)
        {
            text.Append(name).Append(": ").Append(value).Append('\n');
        }
    }
}
