namespace TrustixProxy.Native;

/// <summary>Decompresses another stream. Truncated or damaged input throws <see cref="InvalidDataException"/>; it never looks like a normal
/// end.</summary>
/// <remarks>Limits input without output, because endless empty streams, skippable frames and padding would cost work. Each byte read adds
/// one to a debt, and each byte written pays <see cref="PaidPerByte"/>; a debt over <see cref="MaxDebt"/> counts as damage. The largest
/// legitimate block without output until its end has 0.9 MB (bzip2).</remarks>
/// <param name="source">The compressed bytes; disposed with this stream.</param>
/// <param name="decoder">The format's decoder; disposed with this stream, which is safe while a read runs.</param>
public sealed class DecodingStream(Stream source, Decoder decoder) : Stream
{
    /// <summary>Maximum input without output, in bytes.</summary>
    public const int MaxDebt = 1 << 20;

    private const int PaidPerByte = 4;

    private readonly byte[] _input = new byte[32 << 10];
    private int _start, _end;
    private bool _betweenStreams = true, _afterStream, _afterLast, _sourceEnded;
    private long _padding, _debt;

    /// <summary>Whether the decoder has returned all output of its input. One that filled the whole buffer may hold more.</summary>
    public bool IsDrained { get; private set; } = true;

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
            cancellationToken.ThrowIfCancellationRequested();
            var needed = _betweenStreams && _afterStream ? decoder.StartSize : 1;
            while (_end - _start < needed && !_sourceEnded)
            {
                await FillAsync(cancellationToken).ConfigureAwait(false);
            }

            if (_betweenStreams && !TryBeginStream())
            {
                if (_sourceEnded)
                {
                    return 0; // and all input has been read
                }
            }
            else if (Step(buffer.Span) is var written and > 0)
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
    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("This stream is read asynchronously.");

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

    /// <summary>Reads more input, after the bytes that are not decoded yet.</summary>
    private async ValueTask FillAsync(CancellationToken cancellation)
    {
        _input.AsSpan(_start.._end).CopyTo(_input);
        (_start, _end) = (0, _end - _start);
        var read = await source.ReadAsync(_input.AsMemory(_end), cancellation).ConfigureAwait(false);
        _end += read;
        _sourceEnded = read is 0;
    }

    /// <summary>Skips what follows a stream, and prepares for the next one; false until more input arrives.</summary>
    private bool TryBeginStream()
    {
        if (_afterStream && decoder.PaddingUnit is 0 && _start < _end && !decoder.BeginsStream(_input.AsSpan(_start.._end)))
        {
            _afterLast = true;
        }

        if (_afterLast)
        {
            Owe(_end - _start);
            _start = _end;
            return false;
        }

        if (_afterStream && decoder.PaddingUnit > 0)
        {
            var input = _input.AsSpan(_start.._end);
            var zeros = input.IndexOfAnyExcept((byte)0) is var first and >= 0 ? first : input.Length;
            (_start, _padding) = (_start + zeros, _padding + zeros);
            Owe(zeros);
        }

        if (_start == _end && !_sourceEnded)
        {
            return false; // more padding, or another stream, may follow
        }

        if (_padding > 0 && _padding % decoder.PaddingUnit != 0)
        {
            throw new InvalidDataException(
                $"The compressed data has {_padding} bytes of padding after a stream, not a multiple of {decoder.PaddingUnit}.");
        }

        if (_start == _end)
        {
            return false;
        }

        decoder.Restart();
        (_betweenStreams, _afterStream, _padding) = (false, true, 0);
        return true;
    }

    /// <summary>Decodes once; returns the number of bytes written to the output.</summary>
    private int Step(Span<byte> output)
    {
        var status = decoder.Decode(_input.AsSpan(_start.._end), output, out var consumed, out var written);
        _start += consumed;
        IsDrained = written < output.Length;
        _betweenStreams = status is DecodeStatus.End;
        if (status is DecodeStatus.Malformed)
        {
            throw new InvalidDataException("The compressed data is damaged, or asks for a window of more than 128 MiB.");
        }

        if (status is DecodeStatus.More && consumed == 0 && written == 0 && (_sourceEnded || _start < _end))
        {
            throw new InvalidDataException("The compressed data is truncated.");
        }

        _debt = Math.Max(0, _debt - ((long)written * PaidPerByte));
        Owe(consumed);
        return written;
    }

    private void Owe(int bytes)
    {
        _debt += bytes;
        if (_debt > MaxDebt)
        {
            throw new InvalidDataException($"The compressed data yields almost no output for more than {MaxDebt} bytes.");
        }
    }
}
