using System.Buffers.Binary;
using System.Globalization;

namespace TrustixProxy.Nars.Comparison;

/// <summary>Reads the numeric timestamps in the headers of some file formats.</summary>
internal static class HeaderTime
{
    /// <summary>Reads the timestamp in a file's header; null when the format is unknown or has none.</summary>
    public static Trace? Of(ReadOnlySpan<byte> file) => file switch
    {
        [0x1f, 0x8b, 8, _, _, _, _, _, ..] => Seconds("gzip", file[4..]), // RFC 1952, MTIME
        // PEP 552: no flags, so a timestamp and not a hash
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

    /// <summary>Decodes an MS-DOS timestamp: two-second steps, then a date from 1980 on, which may be invalid.</summary>
    private static Trace Dos(string format, ReadOnlySpan<byte> field)
    {
        var (time, date) = (BinaryPrimitives.ReadUInt16LittleEndian(field), BinaryPrimitives.ReadUInt16LittleEndian(field[2..]));
        return At(format, string.Create(CultureInfo.InvariantCulture,
            $"{1980 + (date >> 9)}-{(date >> 5) & 15:00}-{date & 31:00} {time >> 11:00}:{(time >> 5) & 63:00}:{(time & 31) * 2:00}"));
    }

    private static Trace At(string format, string time) => new(TraceKind.Time, $"{time} in the {format} header");
}
