using TrustixProxy.Testing;

namespace TrustixProxy.Clients.Differential;

/// <summary>Odd names of compressions, and odd compressed files.</summary>
internal static class CompressionOddities
{
    private static readonly string[] Formats = ["xz", "zstd", "bzip2", "gzip", "br", "lz4", "lzma", "lzip"];

    public static IEnumerable<Oddity> All => [.. Names(), .. Files(), .. Zstd()];

    private static IEnumerable<Oddity> Names() =>
    [
        .. from format in Formats select new Oddity($"{format}") { Compression = format },
        .. from format in Formats
           from name in new[] { format.ToUpperInvariant(), "none", "nonsense", "", format is "xz" ? "zstd" : "xz" }
           select new Oddity($"{format} that is called '{name}'") { Compression = format, Lines = Oddity.Set("Compression", name) },
        .. from name in (string[])["", "NONE", "nonsense", .. Formats]
           select new Oddity($"no compression that is called '{name}'") { Lines = Oddity.Set("Compression", name) },
        .. from format in Formats
           select new Oddity($"{format} without a name") { Compression = format, Lines = Oddity.Drop("Compression") },
    ];

    /// <summary>Compressed files that are odd at their ends.</summary>
    private static IEnumerable<Oddity> Files() =>
    [
        .. from format in Formats
           from zeros in new[] { 1, 512 }
           select Behind($"{format} with {zeros} zeros behind", format, new byte[zeros]),
        .. from format in Formats select Behind($"{format} with words behind", format, [.. "words behind it"u8]),
        .. from format in Formats
           select Behind($"{format} with half a megabyte behind", format, [.. Enumerable.Repeat((byte)'x', 500_000)]),
        .. from format in Formats
           select Behind($"{format} with the start of a stream behind", format, Packing.Pack(format, [1, 2, 3])[..3]),
        .. from format in Formats select Behind($"{format} with an empty stream behind", format, Packing.Pack(format, [])),
        .. from format in Formats
           select new Oddity($"{format} in two streams")
           {
               ChangeFile = nar => [.. Packing.Pack(format, nar[..(nar.Length / 2)]), .. Packing.Pack(format, nar[(nar.Length / 2)..])],
               Lines = Oddity.Set("Compression", format),
           },
        .. from format in Formats
           select new Oddity($"{format} with an empty stream in front")
           {
               Compression = format,
               ChangeFile = file => [.. Packing.Pack(format, []), .. file],
           },
        .. from format in Formats
           where format is not "br" // Nix 2.8 and 2.26 never end
           select new Oddity($"{format} cut by a byte") { Compression = format, ChangeFile = file => file[..^1] },
        .. from format in Formats
           select new Oddity($"{format} compressed twice") { Compression = format, ChangeFile = file => Packing.Pack(format, file) },
        .. from format in Formats
           select new Oddity($"{format} in another compression")
           {
               Compression = format,
               ChangeFile = file => Packing.Pack(format is "xz" ? "zstd" : "xz", file),
           },
    ];

    private static IEnumerable<Oddity> Zstd() =>
    [
        Behind("zstd with a skippable frame behind", "zstd", Skippable),
        new("zstd with a skippable frame in front") { Compression = "zstd", ChangeFile = file => [.. Skippable, .. file] },
        new("lz4 with a skippable frame in front") { Compression = "lz4", ChangeFile = file => [.. Skippable, .. file] },
        new("xz with four zeros between streams")
        {
            ChangeFile = nar => [.. Packing.Pack("xz", nar[..100]), 0, 0, 0, 0, .. Packing.Pack("xz", nar[100..])],
            Lines = Oddity.Set("Compression", "xz"),
        },
    ];

    private static byte[] Skippable => [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];

    private static Oddity Behind(string name, string format, byte[] end) =>
        new(name) { Compression = format, ChangeFile = file => [.. file, .. end] };
}
