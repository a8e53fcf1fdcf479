using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Compression;

namespace TrustixProxy.Native.Tests;

/// <summary>Packs with the system's tools, and makes the decoder that unpacks.</summary>
internal static class Packer
{
    public static TheoryData<string> Formats() => new() { "xz", "zstd", "bzip2", "gzip", "br", "lz4", "lzma" };

    public static Decoder DecoderOf(string format) => format switch
    {
        "xz" => new XzDecoder(),
        "zstd" => new ZstdDecoder(),
        "gzip" => new GzipDecoder(),
        "br" => new BrotliNarDecoder(),
        "lz4" => new Lz4Decoder(),
        "lzma" => new XzDecoder(LzmaContainer.Lzma),
        "lzip" => new XzDecoder(LzmaContainer.Lzip),
        _ => new Bzip2Decoder(),
    };

    public static byte[] Pack(string format, byte[] plain) => format switch
    {
        "br" => PackBrotli(plain),
        "lzip" => PackLzip(plain),
        _ => PackWithTool(format, plain),
    };

    /// <summary>Packs with a tool and its options.</summary>
    public static byte[] PackWithTool(string tool, byte[] plain, params string[] options)
    {
        using var process = Process.Start(
            new ProcessStartInfo(tool, [.. options, "-c"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        using var packed = new MemoryStream();
        var reading = process.StandardOutput.BaseStream.CopyToAsync(packed);
        process.StandardInput.BaseStream.Write(plain);
        process.StandardInput.Close();
        reading.Wait();
        process.WaitForExit();
        return packed.ToArray();
    }

    /// <summary>One member: a header, the raw stream of an LZMA file, and a trailer with CRC-32 and sizes.</summary>
    private static byte[] PackLzip(byte[] plain)
    {
        var stream = PackWithTool("lzma", plain)[13..];
        var trailer = new byte[20];
        PackWithTool("gzip", plain)[^8..^4].CopyTo(trailer, 0);
        BinaryPrimitives.WriteInt64LittleEndian(trailer.AsSpan(4), plain.Length);
        BinaryPrimitives.WriteInt64LittleEndian(trailer.AsSpan(12), 6 + stream.Length + trailer.Length);
        return [.. "LZIP"u8, 1, 23, .. stream, .. trailer];
    }

    private static byte[] PackBrotli(byte[] plain)
    {
        using var packed = new MemoryStream();
        using (var brotli = new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            brotli.Write(plain);
        }

        return packed.ToArray();
    }
}
