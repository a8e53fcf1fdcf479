using System.Buffers;

namespace TrustixProxy.Apt;

/// <summary>The file name of a package, <c>hello_2.10-3_amd64.deb</c>: what a rebuilder signs a digest for.</summary>
/// <remarks>At most 255 characters. Name: letters, digits, <c>+ - .</c>; version: these, <c>~</c> and <c>:</c>; both begin with a letter or
/// a digit. Source: Debian Policy 5.6, dpkg <c>pkg_name_is_illegal</c>.</remarks>
public sealed record DebFile
{
    private const int MaxLength = 255;

    private static readonly string[] Extensions = [".deb", ".udeb"];

    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-.");

    private static readonly SearchValues<char> VersionCharacters =
        SearchValues.Create("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-.~:");

    private DebFile(string fileName, string name, string version, string architecture) =>
        (FileName, Name, Version, Architecture) = (fileName, name, version, architecture);

    /// <summary>The whole name, with its extension.</summary>
    public string FileName { get; }

    /// <summary>The binary package's name.</summary>
    public string Name { get; }

    /// <summary>The version as the file name has it, which in Debian's archives is without the epoch.</summary>
    public string Version { get; }

    /// <summary>The architecture; <c>all</c> for one that fits every machine.</summary>
    public string Architecture { get; }

    /// <summary>Whether a name is that of a package's file, or claims to be.</summary>
    internal static bool HasExtension(string fileName) =>
        Extensions.Any(extension => fileName.EndsWith(extension, StringComparison.OrdinalIgnoreCase));

    /// <summary>Reads a file name whole, without folders and escapes.</summary>
    public static bool TryParse(string fileName, [NotNullWhen(true)] out DebFile? file)
    {
        file = null;
        var extension = Array.Find(Extensions, extension => fileName.EndsWith(extension, StringComparison.Ordinal));
        if (extension is not null && fileName.Length <= MaxLength
            && fileName[..^extension.Length].Split('_') is [var name, var version, var architecture]
            && Is(name, NameCharacters) && Is(version, VersionCharacters) && Is(architecture, NameCharacters))
        {
            file = new DebFile(fileName, name, version, architecture);
        }

        return file is not null;
    }

    /// <summary>Whether this is the name of a file with that version: the same, or the same without its epoch.</summary>
    public bool IsOfVersion(string whole) => whole == Version || whole[(whole.IndexOf(':') + 1)..] == Version;

    /// <inheritdoc/>
    public bool Equals(DebFile? other) => FileName == other?.FileName;

    /// <inheritdoc/>
    public override int GetHashCode() => FileName.GetHashCode(StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => FileName;

    private static bool Is(string text, SearchValues<char> characters) =>
        text.Length > 0 && char.IsAsciiLetterOrDigit(text[0]) && !text.AsSpan().ContainsAnyExcept(characters);
}
