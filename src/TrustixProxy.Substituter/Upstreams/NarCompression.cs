using TrustixProxy.Native;

namespace TrustixProxy.Substituter.Upstreams;

/// <summary>The compressions that can be verified, and so be served.</summary>
internal static class NarCompression
{
    /// <summary>As narinfos name it: not compressed.</summary>
    public const string None = "none";

    private static readonly Dictionary<string, (string Suffix, Func<Stream, Stream> Open)> All = new()
    {
        [None] = ("", source => source),
        ["xz"] = (".xz", source => new DecodingStream(source, new XzDecoder())),
        ["zstd"] = (".zst", source => new DecodingStream(source, new ZstdDecoder())),
        ["bzip2"] = (".bz2", source => new DecodingStream(source, new Bzip2Decoder())),
        ["br"] = (".br", source => new DecodingStream(source, new BrotliNarDecoder())),
        ["gzip"] = (".gz", source => new DecodingStream(source, new GzipDecoder())),
    };

    public static bool IsKnown(string name) => All.ContainsKey(name);

    /// <summary>The suffix of a NAR's file name: <c>.xz</c>; empty for none.</summary>
    public static string SuffixOf(string name) => All[name].Suffix;

    /// <summary>The compression whose NARs have this suffix; null when there is none.</summary>
    public static string? OfSuffix(string suffix) => All.FirstOrDefault(entry => entry.Value.Suffix == suffix).Key;

    /// <summary>How the body of an answer is compressed beside that, by its <c>Content-Encoding</c>: some caches keep their narinfos so, whoever asks. Null when it cannot be read.</summary>
    public static string? OfContentEncoding(ICollection<string> encodings) => encodings switch
    {
        { Count: 0 } => None,
        { Count: 1 } when encodings.First() is "identity" => None,
        { Count: 1 } when IsKnown(encodings.First()) => encodings.First(),
        _ => null,
    };

    /// <summary>Reads the NAR out of a compressed stream, which is disposed with the result.</summary>
    public static Stream Open(string name, Stream source) => All[name].Open(source);
}
