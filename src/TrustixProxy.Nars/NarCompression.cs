using TrustixProxy.Native;

namespace TrustixProxy.Nars;

/// <summary>The NAR compressions that can be verified, and therefore served.</summary>
public static class NarCompression
{
    /// <summary>The narinfo's name for no compression.</summary>
    public const string None = "none";

    private const string Brotli = "br";
    private const int MaxLayers = 2;

    /// <summary>Maximum of an LZMA file's first byte, its properties.</summary>
    private const byte LzmaProperties = 224;

    private static readonly Dictionary<string, string> Suffixes = new()
    {
        [None] = "",
        ["xz"] = ".xz",
        ["zstd"] = ".zst",
        ["bzip2"] = ".bz2",
        [Brotli] = ".br",
        ["gzip"] = ".gz",
    };

    /// <summary>Names of Nix for formats that nothing here decodes.</summary>
    private static readonly HashSet<string> Undecodable = ["compress", "grzip", "lrzip", "lzop"];

    /// <summary>Whether a NAR of this compression can be served as it is. Other files are decompressed while they are sent.</summary>
    public static bool IsKnown(string name) => Suffixes.ContainsKey(name);

    /// <summary>Whether a NAR of this compression can be verified. A name that Nix does not know either says nothing: the file's first
    /// bytes decide.</summary>
    public static bool IsDecodable(string name) => !Undecodable.Contains(name);

    /// <summary>Returns the suffix of a NAR's file name: <c>.xz</c>; empty for none.</summary>
    public static string SuffixOf(string name) => Suffixes[name];

    /// <summary>Returns the compression with this suffix; null when unknown.</summary>
    public static string? OfSuffix(string suffix) => Suffixes.FirstOrDefault(entry => entry.Value == suffix).Key;

    /// <summary>Returns the additional compression in <c>Content-Encoding</c>, which some caches send unasked. Null when it is
    /// unsupported.</summary>
    public static string? OfContentEncoding(ICollection<string> encodings)
    {
        var names = encodings.Select(NameOfEncoding).Where(name => name is not ("" or "identity" or None)).ToList();
        return names switch { [] => None, [var name] when IsKnown(name) => name, _ => null };
    }

    /// <summary>Opens what a body has below its <c>Content-Encoding</c>; the result owns the source.</summary>
    public static Stream OpenEncoded(string encoding, Stream source) => Open(encoding, source, 1);

    /// <summary>Opens the decompressed form of a file; the result owns the source.</summary>
    /// <remarks>As in Nix, the first bytes determine the compression; the name counts only for <c>none</c> and <c>br</c>. What was
    /// compressed twice is decompressed twice.</remarks>
    public static Stream Open(string name, Stream source) => Open(name, source, MaxLayers);

    private static Stream Open(string name, Stream source, int layers) => name switch
    {
        None => source,
        Brotli => new DecodingStream(source, new BrotliNarDecoder()),
        _ => new RecognizingStream(source, Recognize, layers),
    };

    /// <summary>Returns the narinfo's name of the compression of a file that begins with these bytes; <c>none</c> for a bare NAR. Null for
    /// what begins no known format, and for Brotli, which has no mark.</summary>
    internal static string? NameOf(ReadOnlySpan<byte> start) => start switch
    {
        [0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] => "xz",
        [0x28, 0xb5, 0x2f, 0xfd, ..] or [>= 0x50 and <= 0x5f, 0x2a, 0x4d, 0x18, ..] => "zstd",
        [(byte)'B', (byte)'Z', (byte)'h', ..] => "bzip2",
        [0x1f, 0x8b, ..] => "gzip",
        [0x04, 0x22, 0x4d, 0x18, ..] => "lz4",
        [(byte)'L', (byte)'Z', (byte)'I', (byte)'P', ..] => "lzip",
        [13, 0, 0, 0, 0, 0, 0, 0, ..] => None,
        [<= LzmaProperties, 0, ..] => "lzma", // and a dictionary size, a multiple of 256
        _ => null,
    };

    /// <summary>Returns the decoder of a file that begins with these bytes; null for a bare NAR.</summary>
    /// <exception cref="InvalidDataException">The bytes begin no known format.</exception>
    private static Decoder? Recognize(ReadOnlySpan<byte> start) => NameOf(start) switch
    {
        "xz" => new XzDecoder(),
        "zstd" => new ZstdDecoder(),
        "bzip2" => new Bzip2Decoder(),
        "gzip" => new GzipDecoder(),
        "lz4" => new Lz4Decoder(),
        "lzip" => new XzDecoder(LzmaContainer.Lzip),
        "lzma" => new XzDecoder(LzmaContainer.Lzma),
        None => null,
        _ => throw new InvalidDataException("The file is neither a NAR nor in a known compression."),
    };

    private static string NameOfEncoding(string encoding)
    {
        var name = encoding.Trim().ToLowerInvariant();
        return name.StartsWith("x-", StringComparison.Ordinal) ? name[2..] : name;
    }
}
