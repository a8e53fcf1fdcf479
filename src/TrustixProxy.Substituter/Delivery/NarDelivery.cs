using TrustixProxy.Substituter.Upstreams;

namespace TrustixProxy.Substituter.Delivery;

/// <summary>What a client can be told now.</summary>
internal enum DeliveryState
{
    /// <summary>The answer can begin: its first byte is there.</summary>
    Ready,

    /// <summary>The file has no such range.</summary>
    Beyond,

    /// <summary>No upstream has the NAR in this form.</summary>
    Absent,

    /// <summary>An upstream failed that may have it.</summary>
    Unavailable,
}

/// <summary>One client's reading of a download.</summary>
/// <param name="download">The download.</param>
/// <param name="requested">Which bytes the client wants.</param>
internal sealed class NarDelivery(NarDownload download, RequestedRange requested) : ReadOnlyStream
{
    private byte[]? _kept; // the end of a bounded range, which waits for the verdict
    private long _keptStart, _keptEnd;

    /// <summary>Where the bytes come from; null until an upstream has answered.</summary>
    public NarBody? Body { get; private set; }

    /// <summary>Which bytes of the file it reads.</summary>
    public ByteRange Range { get; private set; } = ByteRange.All;

    /// <summary>The next byte that it reads. The body's lock guards it.</summary>
    public long Offset { get; set; }

    /// <summary>Whether the file has no such range.</summary>
    public bool IsBeyond { get; private set; }

    /// <summary>Whether the client has bytes of the body: then no other body can take its place.</summary>
    public bool HasTaken => Offset > Range.Start;

    /// <summary>Whether only the very bytes that the URL names will do.</summary>
    public bool WantsSameFile => !requested.IsWhole;

    /// <summary>Whether its bytes are those that the URL names, as far as is known.</summary>
    public bool IsSameFile => Body is { Source.IsSameFile: true } && (Body.Verdict?.FileHash ?? download.Order.FileHash) == download.Order.FileHash;

    /// <summary>Whether the body can be used, is refused, or there is none, as far as this client is concerned.</summary>
    public Task<DeliveryState> StartAsync(CancellationToken cancellation) => download.StartAsync(this, cancellation);

    /// <summary>Reads from a body from now on; false when bytes are gone that it needs.</summary>
    public bool TryBind(NarBody body)
    {
        IsBeyond = !requested.TryResolve(body.Length, out var range);
        (Body, Range, Offset) = (body, range, range.Start);
        return body.TryAttach(this, range.Start);
    }

    /// <summary>Why a verdict spoils this client's answer; null when it does not.</summary>
    public NarFault? FaultOf(NarVerdict verdict) =>
        verdict.Fault ?? (WantsSameFile && verdict.FileHash != download.Order.FileHash ? NarFault.FileHash : null);

    /// <summary>Whether it needs a chunk no more. What it may not have before the verdict, it keeps itself.</summary>
    public bool HasPassed(NarChunk chunk)
    {
        var end = Math.Min(chunk.End, Range.End);
        if (IsBeyond || Math.Max(Offset, _keptEnd) >= end)
        {
            return true;
        }

        if (Range == ByteRange.All || Offset < Range.End - ReleaseBound.Buffer)
        {
            return false;
        }

        if (_kept is null)
        {
            _keptStart = _keptEnd = Math.Max(Offset, chunk.Start); // what is before that is on the disk
            _kept = new byte[Range.End - _keptStart];
        }

        _keptEnd += chunk.CopyTo(_kept.AsSpan((int)(_keptEnd - _keptStart)), _keptEnd, end);
        return true;
    }

    /// <summary>Takes bytes that it kept itself; gives how many.</summary>
    public int TakeKept(Span<byte> buffer)
    {
        if (_kept is null || Offset < _keptStart || Offset >= _keptEnd)
        {
            return 0;
        }

        var count = (int)Math.Min(buffer.Length, _keptEnd - Offset);
        _kept.AsSpan((int)(Offset - _keptStart), count).CopyTo(buffer);
        Offset += count;
        return count;
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => Body!.ReadAsync(this, buffer, cancellationToken);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            UpstreamMetrics.NarEnded(Offset - Range.Start, isVerified: Body?.Verdict is { Fault: null });
            Body?.Detach(this);
            download.Leave(this);
        }

        base.Dispose(disposing);
    }
}
