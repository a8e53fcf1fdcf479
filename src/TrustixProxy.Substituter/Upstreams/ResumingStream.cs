namespace TrustixProxy.Substituter.Upstreams;

/// <summary>Reads a file from an upstream and, when that breaks off or stalls, goes on from another that says it has the same file. Whether it does, the hash at the end shows.</summary>
/// <param name="first">The file from its beginning.</param>
/// <param name="length">How long it is, when that is known: an earlier end is a break.</param>
/// <param name="resume">Opens the file at an offset elsewhere; null when there is nowhere else.</param>
/// <param name="time">The clock.</param>
internal sealed class ResumingStream(Stream first, long? length, Func<long, CancellationToken, Task<Stream?>> resume, TimeProvider time) : ReadOnlyStream
{
    /// <summary>Reads that together took this long have to have brought <see cref="Enough"/> bytes, or the source counts as broken off.</summary>
    private static readonly TimeSpan Stall = TimeSpan.FromSeconds(15);

    private const int Enough = 4 << 10;

    private Stream _current = first;
    private long _offset;
    private TimeSpan _waited;
    private long _got;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var read = await TryReadAsync(buffer, cancellationToken);
            if (read is 0 && (length is null || _offset >= length))
            {
                return 0;
            }

            if (read is > 0)
            {
                _offset += read.Value;
                return read.Value;
            }

            (_waited, _got) = (TimeSpan.Zero, 0);
            await _current.DisposeAsync();
            _current = await resume(_offset, cancellationToken) ?? throw new NarRefusedException(NarFault.BrokenOff);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _current.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Reads; null when the source broke off.</summary>
    private async ValueTask<int?> TryReadAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        var start = time.GetTimestamp();
        using var stall = new CancellationTokenSource(Stall - _waited, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stall.Token, cancellation);
        try
        {
            var read = await _current.ReadAsync(buffer, either.Token);
            (_waited, _got) = (_waited + time.GetElapsedTime(start), _got + read);
            if (_got < Enough)
            {
                return _waited < Stall ? read : null;
            }

            (_waited, _got) = (TimeSpan.Zero, 0);
            return read;
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            return null;
        }
    }
}
