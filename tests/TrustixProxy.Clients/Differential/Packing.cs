using System.Buffers.Binary;
using System.Collections.Concurrent;
using TrustixProxy.Testing;

namespace TrustixProxy.Clients.Differential;

/// <summary>Compresses in every format of the corpus.</summary>
internal static class Packing
{
    private const int LzmaHeader = 13;

    private static readonly ConcurrentDictionary<(string Format, string Bytes), byte[]> Packed = new();

    /// <summary>Compresses bytes; the same input is compressed once.</summary>
    public static byte[] Pack(string format, byte[] bytes) => Packed.GetOrAdd(
        (format, Convert.ToHexString(bytes)), _ => format switch
        {
            "lzip" => PackLzip(bytes),
            _ => TestOutput.Compress(format, bytes),
        });

    /// <summary>One lzip member: a header, a raw LZMA stream with an end marker, and a trailer (RFC draft-diaz-lzip).</summary>
    private static byte[] PackLzip(byte[] bytes)
    {
        var stream = Pack("lzma", bytes)[LzmaHeader..];
        var trailer = new byte[20];
        if (bytes.Length > 0)
        {
            Pack("gzip", bytes)[^8..^4].CopyTo(trailer, 0); // gzip has the same CRC-32; of nothing it is 0, and .NET writes no member
        }

        BinaryPrimitives.WriteInt64LittleEndian(trailer.AsSpan(4), bytes.Length);
        BinaryPrimitives.WriteInt64LittleEndian(trailer.AsSpan(12), 6 + stream.Length + trailer.Length);
        return [.. "LZIP"u8, 1, 20, .. stream, .. trailer];
    }
}
