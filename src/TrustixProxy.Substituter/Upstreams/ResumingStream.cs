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
    private CancellationTokenSource? _stall;
    private CancellationTokenRegistration _link;
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
            EndWatch();
        }

        base.Dispose(disposing);
    }

    /// <summary>Reads; null when the source broke off.</summary>
    private async ValueTask<int?> TryReadAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        var start = time.GetTimestamp();
        try
        {
            var read = await _current.ReadAsync(buffer, Watch(cancellation));
            _stall?.CancelAfter(Timeout.InfiniteTimeSpan);
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

    /// <summary>A token that ends a read when it stalls, or with the other one. It is made once for many reads.</summary>
    private CancellationToken Watch(CancellationToken cancellation)
    {
        if (_stall is not { IsCancellationRequested: false } || _link.Token != cancellation)
        {
            EndWatch();
            var stall = _stall = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
            _link = cancellation.UnsafeRegister(static ended => ((CancellationTokenSource)ended!).Cancel(), stall);
        }

        _stall.CancelAfter(Stall - _waited);
        return _stall.Token;
    }

    private void EndWatch()
    {
        _link.Dispose();
        _stall?.Dispose();
        _stall = null;
    }
}
