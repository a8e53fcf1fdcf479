using System.Buffers;
using System.IO.Compression;

namespace TrustixProxy.Native;

/// <summary>Decodes brotli with the framework's decoder.</summary>
public sealed class BrotliNarDecoder : Decoder
{
    private BrotliDecoder _decoder;

    /// <summary>Creates a decoder.</summary>
    public BrotliNarDecoder() => SetHandle(1); // nothing to release except what the framework owns

    /// <remarks>Brotli streams cannot be concatenated.</remarks>
    internal override bool BeginsStream(ReadOnlySpan<byte> next) => false;

    private protected override DecodeStatus DecodeCore(
        ReadOnlySpan<byte> source, Span<byte> destination, out int consumed, out int written) =>
        _decoder.Decompress(source, destination, out consumed, out written) switch
        {
            OperationStatus.Done => DecodeStatus.End,
            OperationStatus.InvalidData => DecodeStatus.Malformed,
            _ => DecodeStatus.More,
        };

    private protected override void RestartCore()
    {
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        _decoder.Dispose();
        return true;
    }
}
