namespace TrustixProxy.Native;

/// <summary>Reads the decompressed form of another stream. Truncated or damaged input throws <see cref="InvalidDataException"/>: it never ends early in silence.</summary>
/// <param name="source">The compressed bytes; disposed with this stream.</param>
/// <param name="decoder">The format; disposed with this stream.</param>
public sealed class DecodingStream(Stream source, Decoder decoder) : Stream
{
    private readonly byte[] _input = new byte[32 << 10];
    private int _start, _end;
    private bool _betweenStreams = true, _sourceEnded;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (buffer.Length > 0)
        {
            if (_start == _end && !_sourceEnded)
            {
                (_start, _end) = (0, await source.ReadAsync(_input, cancellationToken).ConfigureAwait(false));
                _sourceEnded = _end is 0;
            }

            if (_betweenStreams && _sourceEnded)
            {
                return 0;
            }

            if (Step(buffer.Span) is var written and > 0)
            {
                return written;
            }
        }

        return 0;
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("This stream is read asynchronously.");

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            decoder.Dispose();
            source.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Step(Span<byte> output)
    {
        if (_betweenStreams && _start < _end)
        {
            decoder.Restart();
            _betweenStreams = false;
        }

        var status = decoder.Decode(_input.AsSpan(_start.._end), output, out var consumed, out var written);
        _start += consumed;
        _betweenStreams = status is DecodeStatus.End;
        if (status is DecodeStatus.Malformed)
        {
            throw new InvalidDataException("The compressed data is damaged, or wants a larger window than is allowed.");
        }

        var stuck = status is DecodeStatus.More && consumed == 0 && written == 0 && (_sourceEnded || _start < _end);
        return stuck ? throw new InvalidDataException("The compressed data ends before its end.") : written;
    }
}
