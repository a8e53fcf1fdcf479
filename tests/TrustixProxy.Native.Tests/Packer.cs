using System.Diagnostics;
using System.IO.Compression;

namespace TrustixProxy.Native.Tests;

/// <summary>Packs with the system's tools, and makes the decoder that unpacks.</summary>
internal static class Packer
{
    public static TheoryData<string> Formats() => new() { "xz", "zstd", "bzip2", "gzip", "br" };

    public static Decoder DecoderOf(string format) => format switch
    {
        "xz" => new XzDecoder(),
        "zstd" => new ZstdDecoder(),
        "gzip" => new GzipDecoder(),
        "br" => new BrotliNarDecoder(),
        _ => new Bzip2Decoder(),
    };

    public static byte[] Pack(string format, byte[] plain) => format is "br" ? PackBrotli(plain) : PackWithTool(format, plain);

    private static byte[] PackWithTool(string tool, byte[] plain)
    {
        using var process = Process.Start(
            new ProcessStartInfo(tool, ["-c"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        using var packed = new MemoryStream();
        var reading = process.StandardOutput.BaseStream.CopyToAsync(packed);
        process.StandardInput.BaseStream.Write(plain);
        process.StandardInput.Close();
        reading.Wait();
        process.WaitForExit();
        return packed.ToArray();
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
