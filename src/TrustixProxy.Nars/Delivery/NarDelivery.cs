using TrustixProxy.IO.Streams;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>What a client can be told now.</summary>
public enum DeliveryState
{
    /// <summary>The answer can begin: its first byte is there.</summary>
    Ready,

    /// <summary>The file has no such range.</summary>
    Beyond,

    /// <summary>The download brings the NAR in other bytes than the range is of.</summary>
    OtherFile,

    /// <summary>No upstream has the NAR in this form.</summary>
    Absent,

    /// <summary>An upstream failed that may have it.</summary>
    Unavailable,
}

/// <summary>One client's reading of a download. When the file that it has begun is refused, it reads on in another upstream's.</summary>
/// <remarks>Before it reads on, it reads the other file from the start and compares that with each byte that the client has.
/// Where they differ, only a cut can take those bytes back.</remarks>
/// <param name="download">The download.</param>
/// <param name="requested">Which bytes the client wants.</param>
public sealed class NarDelivery(NarDownload download, RequestedRange requested) : ReadOnlyStream
{
    private readonly Lock _lock = new(); // of what the download binds: it may do so while the client reads
    private NarBody? _begun; // refused; the client has its bytes up to _given
    private NarBody? _rejected; // differs from what the client has
    private long _given;
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

    /// <summary>How long the file is by the answer's header; null when that says nothing.</summary>
    public long? Promised { get; private set; }

    /// <summary>Whether the client has bytes: then another body can take this one's place only if it begins with the same bytes.</summary>
    public bool HasTaken => _begun is not null || Offset > Range.Start;

    /// <summary>Whether the client can be served by another body, once its own is refused.</summary>
    public bool CanGoOn
    {
        get
        {
            lock (_lock)
            {
                return !HasTaken || (_begun ?? Body)!.Holds(Range.Start);
            }
        }
    }

    /// <summary>Whether only the very bytes that the URL names will do.</summary>
    public bool WantsSameFile => !requested.IsWhole;

    /// <summary>Whether its bytes are those that the URL names, as far as is known.</summary>
    public bool IsSameFile =>
        Body is { Source.IsSameFile: true } && (Body.Verdict?.FileHash ?? download.Order.FileHash) == download.Order.FileHash;

    /// <summary>Whether the body can be used, is refused, or there is none, as far as this client is concerned.</summary>
    public Task<DeliveryState> StartAsync(CancellationToken cancellation) => download.StartAsync(this, cancellation);

    /// <summary>Reads from a body from now on. False when bytes are gone that it needs, or the answer promised another length.</summary>
    public bool TryBind(NarBody body)
    {
        lock (_lock)
        {
            if (HasTaken)
            {
                return TryGoOn(body);
            }

            Body?.Detach(this);
            IsBeyond = !requested.TryResolve(body.Length, out var range);
            (Body, Range, Offset, Promised) = (body, range, range.Start, body.Length);
            return body.TryAttach(this, range.Start);
        }
    }

    /// <summary>Whether a body is, as far as is known, of the bytes that the client wants.</summary>
    public bool Accepts(NarBody body) => !WantsSameFile
        || (body.Source.IsSameFile && (body.Verdict?.FileHash ?? download.Order.FileHash) == download.Order.FileHash);

    /// <summary>Whether it reads from a body, or will.</summary>
    public bool Uses(NarBody body) => Body == body && _rejected != body && !IsBeyond;

    /// <summary>Reads no more from a body.</summary>
    public void Reject(NarBody body)
    {
        lock (_lock)
        {
            _rejected = body;
        }

        body.Detach(this);
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

    /// <exception cref="NarRefusedException">The file is refused, and no other can take its place.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var body = Body!;
            if (await TryCatchUpAsync(body, cancellationToken) && await body.TryReadAsync(this, buffer, cancellationToken) is { } read)
            {
                return read;
            }

            if (!HasTaken || !await download.NextAsync(this, body, cancellationToken))
            {
                throw new NarRefusedException(body.Verdict is { } verdict ? FaultOf(verdict) ?? NarFault.FileHash : NarFault.FileHash);
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            UpstreamMetrics.NarEnded(Math.Max(Offset, _given) - Range.Start, isVerified: Body?.Verdict is { Fault: null });
            download.Leave(this); // from here on nobody binds it
            Body?.Detach(this);
            _begun?.Detach(this);
        }

        base.Dispose(disposing);
    }

    private bool TryGoOn(NarBody body)
    {
        var fits = Promised is null || body.Length is null || Promised == body.Length;
        if (!fits || !(_begun ?? Body)!.Holds(Range.Start) || !body.TryAttach(this, Range.Start))
        {
            return false;
        }

        if (_begun is null)
        {
            (_begun, _given) = (Body, Offset);
        }
        else
        {
            Body!.Detach(this); // it was refused before it had caught up
        }

        // Without a length of its own the file could be longer than was promised: then its end is withheld as that of a range.
        Range = Promised is { } end && body.Length is null && Range == ByteRange.All ? new ByteRange(0, end) : Range;
        (Body, Offset, _kept, _keptEnd) = (body, Range.Start, null, 0);
        return true;
    }

    /// <summary>Compares a body that follows a refused one with what the client has; false when it is refused, or differs.</summary>
    private async ValueTask<bool> TryCatchUpAsync(NarBody body, CancellationToken cancellation)
    {
        if (_begun is not { } begun)
        {
            return true;
        }

        var buffer = new byte[64 << 10];
        for (var at = Range.Start; at < _given;)
        {
            if (await body.TryReadAsync(this, buffer.AsMemory(0, (int)Math.Min(buffer.Length, _given - at)), cancellation) is not { } read)
            {
                return false;
            }

            if (read is 0 || !await begun.HasAsync(at, buffer.AsMemory(0, read), cancellation))
            {
                download.Reject(this, body);
                return false;
            }

            at += read;
        }

        lock (_lock)
        {
            if (Body == body)
            {
                _begun = null;
                begun.Detach(this);
            }
        }

        return true;
    }
}
