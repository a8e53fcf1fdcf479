using System.Buffers.Binary;
using System.Globalization;

namespace TrustixProxy.Nars.Comparison;

/// <summary>The times that some formats have in their first bytes, as numbers.</summary>
internal static class HeaderTime
{
    /// <summary>The time in a file's header; null when it has none, or none that is known.</summary>
    public static Trace? Of(ReadOnlySpan<byte> file) => file switch
    {
        [0x1f, 0x8b, 8, _, _, _, _, _, ..] => Seconds("gzip", file[4..]), // RFC 1952, MTIME
        // PEP 552: no flags, so not by hash
        [_, _, (byte)'\r', (byte)'\n', 0, 0, 0, 0, _, _, _, _, ..] => Seconds("Python bytecode", file[8..]),
        [(byte)'P', (byte)'K', 3, 4, _, _, _, _, _, _, _, _, _, _, ..] => Dos("zip", file[10..]),
        _ => null,
    };

    private static Trace Seconds(string format, ReadOnlySpan<byte> field)
    {
        var seconds = BinaryPrimitives.ReadUInt32LittleEndian(field);
        return At(
            format, string.Create(CultureInfo.InvariantCulture, $"{DateTimeOffset.FromUnixTimeSeconds(seconds):yyyy-MM-dd HH:mm:ss}Z"));
    }

    /// <summary>As MS-DOS wrote it: the time in two-second steps, and then the date from 1980 on; not always a real one.</summary>
    private static Trace Dos(string format, ReadOnlySpan<byte> field)
    {
        var (time, date) = (BinaryPrimitives.ReadUInt16LittleEndian(field), BinaryPrimitives.ReadUInt16LittleEndian(field[2..]));
        return At(format, string.Create(CultureInfo.InvariantCulture,
            $"{1980 + (date >> 9)}-{(date >> 5) & 15:00}-{date & 31:00} {time >> 11:00}:{(time >> 5) & 63:00}:{(time & 31) * 2:00}"));
    }

    private static Trace At(string format, string time) => new(TraceKind.Time, $"{time} in the {format} header");
}
