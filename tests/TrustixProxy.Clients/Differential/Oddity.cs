using TrustixProxy.Nix;

namespace TrustixProxy.Clients.Differential;

/// <summary>One way in which a cache's answer is odd: what differs from a plain narinfo, NAR and response.</summary>
/// <param name="Name">What is odd, in words; it names the case in <c>differences.txt</c>.</param>
internal sealed record Oddity(string Name)
{
    /// <summary>The name part of the store path.</summary>
    public string PathName { get; init; } = "odd-1.0";

    /// <summary>Writes the archive; an executable file when null.</summary>
    public Action<NarWriter>? Write { get; init; }

    /// <summary>Changes the archive's bytes. The narinfo describes the result.</summary>
    public Func<byte[], byte[]> ChangeNar { get; init; } = nar => nar;

    /// <summary>How the file is compressed: a name that <see cref="TestOutput.Compress"/> knows.</summary>
    public string Compression { get; init; } = "none";

    /// <summary>Changes the compressed file. The narinfo describes the result.</summary>
    public Func<byte[], byte[]> ChangeFile { get; init; } = file => file;

    /// <summary>The paths that it refers to.</summary>
    public IReadOnlyList<StorePath> References { get; init; } = [];

    /// <summary>Changes the narinfo's lines.</summary>
    public Func<Sample, IEnumerable<string>> Lines { get; init; } = sample => sample.Lines;

    /// <summary>Changes the narinfo's text, which is written as Latin-1.</summary>
    public Func<string, string> Text { get; init; } = text => text;

    /// <summary>The headers of the narinfo's response.</summary>
    public (string Name, string Value)[] NarInfoHeaders { get; init; } = [];

    /// <summary>Changes the narinfo's body after <see cref="Text"/>, for a content encoding.</summary>
    public Func<byte[], byte[]> EncodeNarInfo { get; init; } = body => body;

    /// <summary>The headers of the NAR's response.</summary>
    public (string Name, string Value)[] NarHeaders { get; init; } = [];

    /// <summary>Changes the NAR's body, for a content encoding.</summary>
    public Func<byte[], byte[]> EncodeNar { get; init; } = body => body;

    /// <summary>The status of the narinfo's response.</summary>
    public int NarInfoStatus { get; init; } = 200;

    /// <summary>The status of the NAR's response.</summary>
    public int NarStatus { get; init; } = 200;

    /// <summary>Whether bodies come without a Content-Length.</summary>
    public bool IsChunked { get; init; }

    /// <summary>The header <c>Authorization</c> without which the cache answers 401; null for none.</summary>
    public string? Authorization { get; init; }

    /// <summary>The status of <c>nix-cache-info</c>.</summary>
    public int CacheInfoStatus { get; init; } = 200;

    /// <summary>The text of <c>nix-cache-info</c>.</summary>
    public string CacheInfo { get; init; } = "StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 30\n";

    /// <summary>Writes the address of the cache, given a plain one without a slash at its end.</summary>
    public Func<string, string> Address { get; init; } = url => url;

    /// <summary>Replaces the lines of one field, or adds the field.</summary>
    public static Func<Sample, IEnumerable<string>> Set(string field, string value) => Set(field, _ => value);

    /// <inheritdoc cref="Set(string, string)"/>
    public static Func<Sample, IEnumerable<string>> Set(string field, Func<Sample, string> value) => sample =>
        sample.Lines.Any(line => line.StartsWith($"{field}:", StringComparison.Ordinal))
            ? sample.Lines.Select(line => line.StartsWith($"{field}:", StringComparison.Ordinal) ? $"{field}: {value(sample)}" : line)
            : sample.Lines.Append($"{field}: {value(sample)}");

    /// <summary>Leaves a field out.</summary>
    public static Func<Sample, IEnumerable<string>> Drop(string field) =>
        sample => sample.Lines.Where(line => !line.StartsWith($"{field}:", StringComparison.Ordinal));

    /// <summary>Puts lines before all others.</summary>
    public static Func<Sample, IEnumerable<string>> First(params string[] lines) => sample => lines.Concat(sample.Lines);

    /// <summary>Puts lines after all others.</summary>
    public static Func<Sample, IEnumerable<string>> Last(params string[] lines) => sample => sample.Lines.Concat(lines);
}
