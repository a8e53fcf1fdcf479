using Microsoft.AspNetCore.Http;
using TrustixProxy.IO.Streams;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>What the client's response can be now.</summary>
public enum DeliveryState
{
    /// <summary>The response can begin: its first byte is available.</summary>
    Ready,

    /// <summary>The file has no such range.</summary>
    Beyond,

    /// <summary>The download delivers the NAR in other bytes than the range refers to.</summary>
    OtherFile,

    /// <summary>No upstream has the NAR in this form.</summary>
    Absent,

    /// <summary>An upstream that may have the NAR failed.</summary>
    Unavailable,
}

/// <summary>One client's read of a download. When the file is rejected, the read continues in another upstream's file.</summary>
/// <remarks>Before it continues, it reads the other file from the start and compares each byte the client already has. If they differ, the
/// connection is cut: sent bytes cannot be taken back.</remarks>
/// <param name="requested">The bytes the client asked for.</param>
public sealed class NarDelivery(NarDownload download, RequestedRange requested) : ReadOnlyStream
{
    private readonly Lock _lock = new(); // guards what the download binds, concurrently with the client's reads
    private NarBody? _announced; // the body that the response header describes; null before the header
    private NarBody? _begun; // rejected; the client has its bytes up to _given
    private NarBody? _rejected; // differs from the bytes the client has
    private long _given;
    private byte[]? _kept; // the end of a bounded range, held back until the verdict
    private long _keptStart, _keptEnd;

    /// <summary>The source of the bytes; null until an upstream has answered.</summary>
    public NarBody? Body { get; private set; }

    /// <summary>The bytes of the file to read.</summary>
    public ByteRange Range { get; private set; } = ByteRange.All;

    /// <summary>Offset of the next byte to read. Guarded by the body's lock.</summary>
    public long Offset { get; set; }

    /// <summary>Whether the file has no such range.</summary>
    public bool IsBeyond { get; private set; }

    /// <summary>The file length promised in the response header; null when none was.</summary>
    public long? Promised { get; private set; }

    /// <summary>Whether the client has received bytes: then another body can replace this one only if it begins with the same
    /// bytes.</summary>
    public bool HasTaken => _begun is not null || Offset > Range.Start;

    /// <summary>Whether another body can serve the client after its own is rejected.</summary>
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

    /// <summary>Whether only the exact bytes that the URL names are acceptable.</summary>
    public bool WantsSameFile => !requested.IsWhole;

    /// <summary>Whether its bytes are those that the URL names, as far as is known.</summary>
    public bool IsSameFile =>
        Body is { Source.IsSameFile: true } && (Body.Verdict?.FileHash ?? download.Order.FileHash) == download.Order.FileHash;

    /// <summary>Whether a read since the last start ended because its body was rejected before the client had a byte. Another body may
    /// have replaced it by now.</summary>
    public bool WasRejected { get; private set; }

    /// <summary>Waits until a body is usable, rejected or unavailable for this client.</summary>
    public Task<DeliveryState> StartAsync(CancellationToken cancellation)
    {
        (WasRejected, _announced) = (false, null);
        return download.StartAsync(this, cancellation);
    }

    /// <summary>Writes the response header for the body that is bound now. If another replaces it before the first byte, reading
    /// fails, and the response can start again.</summary>
    public void WriteHead(HttpResponse response)
    {
        lock (_lock)
        {
            _announced = Body!;
            RequestedRange.WriteHead(response, _announced.Length, Range, IsSameFile);
        }
    }

    /// <summary>Switches to a body. Returns false when bytes it needs are gone, or the response promised another length.</summary>
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

    /// <summary>Whether a body has, as far as is known, the bytes the client wants.</summary>
    public bool Accepts(NarBody body) => !WantsSameFile
        || (body.Source.IsSameFile && (body.Verdict?.FileHash ?? download.Order.FileHash) == download.Order.FileHash);

    /// <summary>Whether it reads from a body, or will.</summary>
    public bool Uses(NarBody body) => Body == body && _rejected != body && !IsBeyond;

    /// <summary>Stops reading from a body.</summary>
    public void Reject(NarBody body)
    {
        lock (_lock)
        {
            _rejected = body;
        }

        body.Detach(this);
    }

    /// <summary>Returns why a verdict invalidates this client's response; null when it does not.</summary>
    public NarFault? FaultOf(NarVerdict verdict) =>
        verdict.Fault ?? (WantsSameFile && verdict.FileHash != download.Order.FileHash ? NarFault.FileHash : null);

    /// <summary>Whether it no longer needs a chunk. It copies bytes that must wait for the verdict.</summary>
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
            _keptStart = _keptEnd = Math.Max(Offset, chunk.Start); // earlier bytes are in the spool
            _kept = new byte[Range.End - _keptStart];
        }

        _keptEnd += chunk.CopyTo(_kept.AsSpan((int)(_keptEnd - _keptStart)), _keptEnd, end);
        return true;
    }

    /// <summary>Reads copied bytes; returns how many.</summary>
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

    /// <exception cref="NarRefusedException">The file was rejected, and no other can replace it.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var body = Body!;
            var isOther = !HasTaken && _announced is not null && _announced != body;
            if (!isOther && await TryCatchUpAsync(body, cancellationToken)
                && await body.TryReadAsync(this, buffer, cancellationToken) is { } read)
            {
                return read;
            }

            if (isOther || !HasTaken || !await download.NextAsync(this, body, cancellationToken))
            {
                WasRejected = !HasTaken;
                if (HasTaken)
                {
                    download.NoteCut(Math.Max(Offset, _given));
                }

                throw new NarRefusedException(body.Verdict is { } verdict ? FaultOf(verdict) ?? NarFault.FileHash : NarFault.FileHash);
            }
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            var (bytes, isVerified) = (Math.Max(Offset, _given) - Range.Start, Body?.Verdict is { Fault: null });
            UpstreamMetrics.NarEnded(bytes, isVerified);
            download.Given?.Add(bytes, isVerified);
            download.Leave(this); // from here on no body is bound
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
            Body!.Detach(this); // rejected before the comparison caught up
        }

        // Without its own length the file could be longer than promised: so its end is held back like that of a range.
        Range = Promised is { } end && body.Length is null && Range == ByteRange.All ? new ByteRange(0, end) : Range;
        (Body, Offset, _kept, _keptEnd) = (body, Range.Start, null, 0);
        return true;
    }

    /// <summary>Compares the body that replaces a rejected one with the bytes the client has; false when it is rejected too, or
    /// differs.</summary>
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
