using TrustixProxy.Nix;
using TrustixProxy.Testing;

namespace TrustixProxy.Clients.Differential;

/// <summary>Odd archives.</summary>
internal static class ArchiveOddities
{
    public static IEnumerable<Oddity> All =>
    [
        new("an empty directory") { Write = nar => { nar.Directory(); nar.EndDirectory(); } },
        new("an empty file") { Write = nar => nar.File([]) },
        new("a symbolic link") { Write = nar => nar.Symlink("/nowhere") },
        new("a name in UTF-8") { Write = Entries("größer") },
        new("a name with blanks and a newline") { Write = Entries("a b\nc") },
        new("a name of 255 bytes") { Write = Entries(new string('n', 255)) },
        new("a name with the case hack") { Write = Entries("a~nix~case~hack~1") },
        new("names that differ in case") { Write = Entries("A", "a") },
        new("names out of order") { Write = Entries("b", "a") },
        new("a name twice") { Write = Entries("a", "a") },
        new("63 directories deep") { Write = Nested(63) },
        new("70 directories deep") { Write = Nested(70) },
        new("a link's target of 4,000 bytes") { Write = nar => nar.Symlink(new string('t', 4000)) },
        new("padding that is not zero") { Write = nar => nar.File("abc"u8), ChangeNar = PadWithOnes },
        new("bytes behind the archive") { ChangeFile = file => [.. file, .. "behind it"u8] },
        new("bytes behind the archive, xz")
        {
            ChangeFile = file => TestOutput.Compress("xz", [.. file, .. "behind it"u8]),
            Lines = Oddity.Set("Compression", "xz"),
        },
    ];

    private static Action<NarWriter> Entries(params string[] names) => nar =>
    {
        nar.Directory();
        foreach (var name in names)
        {
            nar.Entry(name);
            nar.File("contents"u8);
            nar.EndEntry();
        }

        nar.EndDirectory();
    };

    private static Action<NarWriter> Nested(int depth) => nar =>
    {
        for (var i = 0; i < depth; i++)
        {
            nar.Directory();
            nar.Entry("d");
        }

        nar.File("deep"u8);
        for (var i = 0; i < depth; i++)
        {
            nar.EndEntry();
            nar.EndDirectory();
        }
    };

    /// <summary>The padding behind the contents <c>abc</c>.</summary>
    private static byte[] PadWithOnes(byte[] nar)
    {
        nar[nar.AsSpan().IndexOf("abc\0\0\0\0\0"u8) + 3] = 1;
        return nar;
    }
}
