using System.Buffers;
using System.IO.Compression;

namespace TrustixProxy.Native;

/// <summary>Decodes brotli with the framework's decoder. Bytes after the end, which the framework's stream ignores, count as
/// damage.</summary>
public sealed class BrotliNarDecoder : Decoder
{
    private BrotliDecoder _decoder;
    private int _streams;

    /// <summary>Creates a decoder.</summary>
    public BrotliNarDecoder() => SetHandle(1); // nothing to release except what the framework owns

    private protected override DecodeStatus DecodeCore(
        ReadOnlySpan<byte> source, Span<byte> destination, out int consumed, out int written)
    {
        (consumed, written) = (0, 0);
        var status = _streams > 1 ? OperationStatus.InvalidData : _decoder.Decompress(source, destination, out consumed, out written);
        return status switch
        {
            OperationStatus.Done => DecodeStatus.End,
            OperationStatus.InvalidData => DecodeStatus.Malformed,
            _ =>
            DecodeStatus.More
        };
    }

    private protected override void RestartCore() => _streams++; // the first; brotli streams cannot be concatenated, so a second is damage

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        _decoder.Dispose();
        return true;
    }
}
