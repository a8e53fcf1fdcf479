using TrustixProxy.IO.Streams;
using TrustixProxy.Native;

namespace TrustixProxy.AptGate.Indexes;

/// <summary>Opens the text of an index, whose first bytes tell how it is compressed.</summary>
internal static class IndexText
{
    /// <summary>The most bytes that an index may have when it is decompressed; sid's has 60 MB.</summary>
    public const long MaxSize = 512L << 20;

    private const int MarkSize = 6;

    /// <summary>Opens the text; the result owns the source.</summary>
    /// <exception cref="IOException">The source fails.</exception>
    public static async Task<Stream> OpenAsync(Stream source, CancellationToken cancellation)
    {
        var (mark, count) = (new byte[MarkSize], 0);
        while (count < MarkSize && await source.ReadAsync(mark.AsMemory(count), cancellation) is var read and > 0)
        {
            count += read;
        }

        var whole = new Rejoined(mark.AsMemory(0, count), source);
        return DecoderOf(mark.AsSpan(0, count)) is { } decoder ? new DecodingStream(whole, decoder) : whole;
    }

    private static Decoder? DecoderOf(ReadOnlySpan<byte> mark) => mark switch
    {
        [0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] => new XzDecoder(),
        [0x1f, 0x8b, ..] => new GzipDecoder(),
        [(byte)'B', (byte)'Z', (byte)'h', ..] => new Bzip2Decoder(),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => new ZstdDecoder(),
        [0x04, 0x22, 0x4d, 0x18, ..] => new Lz4Decoder(),
        [0x5d, 0, 0, ..] => new XzDecoder(LzmaContainer.Lzma),
        _ => null,
    };

    /// <summary>Bytes that were read, and the rest.</summary>
    private sealed class Rejoined(ReadOnlyMemory<byte> first, Stream rest) : ReadOnlyStream
    {
        private ReadOnlyMemory<byte> _first = first;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_first.IsEmpty)
            {
                return rest.ReadAsync(buffer, cancellationToken);
            }

            var count = Math.Min(_first.Length, buffer.Length);
            _first[..count].CopyTo(buffer);
            _first = _first[count..];
            return ValueTask.FromResult(count);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                rest.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
