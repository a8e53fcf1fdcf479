using TrustixProxy.IO.Streams;
using TrustixProxy.Native;

namespace TrustixProxy.Nars;

/// <summary>Reads the decompressed form of a file whose first bytes identify its compression.</summary>
/// <param name="source">The file; disposed with this stream.</param>
/// <param name="recognize">Returns the decoder for a file that begins with these bytes, at most <see cref="StartSize"/>; null for
/// none.</param>
/// <param name="layers">How many compressions it removes, one inside another.</param>
internal sealed class RecognizingStream(Stream source, RecognizingStream.Recognition recognize, int layers) : ReadOnlyStream
{
    /// <summary>Number of bytes examined.</summary>
    public const int StartSize = 8;

    private Stream? _decoded;
    private DecodingStream? _outer;

    /// <inheritdoc cref="DecodingStream.IsDrained"/>
    public bool IsDrained => _outer is not { IsDrained: false } && _decoded is not (DecodingStream { IsDrained: false }
        or RecognizingStream { IsDrained: false });

    /// <summary>Identifies a compression by a file's first bytes.</summary>
    public delegate Decoder? Recognition(ReadOnlySpan<byte> start);

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _decoded ??= await RecognizeAsync(cancellationToken);
        return await _decoded.ReadAsync(buffer, cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            (_decoded ?? source).Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task<Stream> RecognizeAsync(CancellationToken cancellation)
    {
        var start = new byte[StartSize];
        var filled = await source.ReadAtLeastAsync(start, StartSize, throwOnEndOfStream: false, cancellation);
        var whole = new ResumedStream(start.AsMemory(0, filled), source);
        if (recognize(start.AsSpan(0, filled)) is not { } decoder)
        {
            return whole;
        }

        _outer = new DecodingStream(whole, decoder);
        return layers > 1 ? new RecognizingStream(_outer, recognize, layers - 1) : _outer;
    }

    /// <summary>Returns bytes read earlier, then the rest of a stream.</summary>
    private sealed class ResumedStream(ReadOnlyMemory<byte> start, Stream rest) : ReadOnlyStream
    {
        private ReadOnlyMemory<byte> _start = start;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_start.IsEmpty)
            {
                return rest.ReadAsync(buffer, cancellationToken);
            }

            var count = Math.Min(buffer.Length, _start.Length);
            _start.Span[..count].CopyTo(buffer.Span);
            _start = _start[count..];
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
