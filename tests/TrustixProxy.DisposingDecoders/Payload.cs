using System.Diagnostics;
using System.IO.Compression;
using TrustixProxy.Native;

namespace TrustixProxy.DisposingDecoders;

/// <summary>Bytes in each format, packed by the system's tools.</summary>
internal static class Payload
{
    /// <summary>Sizes of the plain bytes of one stream. A call decodes up to one stream, which takes about 0.1 to 1 ms.</summary>
    private const int StreamSize = 32 << 10, BrotliSize = 2 << 20;

    private const int Streams = 64;

    public static (Func<Decoder> Create, byte[] Packed)[] PackAll(Random random)
    {
        var plain = Make(random, StreamSize);
        return
        [
            (() => new XzDecoder(), Pack(plain, "xz", "-0")),
            (() => new ZstdDecoder(), Pack(plain, "zstd", "-1")),
            (() => new GzipDecoder(), Pack(plain, "gzip", "-1")),
            (() => new Bzip2Decoder(), Pack(plain, "bzip2", "-1")),
            (() => new BrotliNarDecoder(), PackBrotli(Make(random, BrotliSize))),
        ];
    }

    /// <summary>Words that repeat at random.</summary>
    private static byte[] Make(Random random, int size)
    {
        var words = Enumerable.Range(0, 500).Select(_ => new byte[random.Next(3, 40)]).ToList();
        words.ForEach(random.NextBytes);
        var plain = new byte[size];
        for (var at = 0; at < plain.Length;)
        {
            var word = words[random.Next(words.Count)];
            var length = Math.Min(word.Length, plain.Length - at);
            word.AsSpan(0, length).CopyTo(plain.AsSpan(at));
            at += length;
        }

        return plain;
    }

    /// <summary>Many streams, one behind the other.</summary>
    private static byte[] Pack(byte[] plain, string tool, string level)
    {
        using var process = Process.Start(new ProcessStartInfo(tool, ["-c", level])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        using var packed = new MemoryStream();
        var reading = process.StandardOutput.BaseStream.CopyToAsync(packed);
        process.StandardInput.BaseStream.Write(plain);
        process.StandardInput.Close();
        reading.GetAwaiter().GetResult();
        process.WaitForExit();
        return [.. Enumerable.Repeat(packed.ToArray(), Streams).SelectMany(stream => stream)];
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
