using System.Diagnostics;
using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>One upstream's file on its way to all who read it. One producer fills it; each reader goes at its own speed.</summary>
/// <remarks>
/// <code>
///   0 ────────────── spool ──────────────┬─────── window, in memory ───────┐
///   └─ read from disk by slow readers    └─ read by those that keep up     └─ the producer
///                                                    └─ released: nothing beyond leaves before the verdict
/// </code>
/// Where the disk takes no more, the window moves on only when every reader has passed: the producer waits, and later requests start a
/// download of their own.</remarks>
public sealed class NarBody(NarCandidate source, long? length, SpoolSpace space) : IDisposable
{
    /// <summary>How many chunks the window has; with what is being read that is below 2 MiB.</summary>
    private const int MaxChunks = 28;

    /// <summary>How much is spooled for a lone reader; a second one that comes later starts a download of its own.</summary>
    private const long LoneSpool = 256L << 20;

    private readonly Lock _lock = new();
    private readonly Queue<NarChunk> _window = new();
    private readonly List<NarDelivery> _readers = [];
    private NarChunk? _tail, _lastHeld;
    private NarSpool? _spool;
    private bool _hasBeginning = true, _isAbandoned, _isReleased, _isFreed;
    private long _windowStart, _filled, _taken, _released;
    private NarVerdict? _verdict;
    private readonly Signal _forReaders = new(), _forProducer = new();

    /// <summary>Whose file it is.</summary>
    public NarCandidate Source => source;

    /// <summary>How long the file is; null when that is not known.</summary>
    public long? Length => length;

    /// <summary>Its verdict; null before that.</summary>
    public NarVerdict? Verdict
    {
        get
        {
            lock (_lock)
            {
                return _verdict;
            }
        }
    }

    /// <summary>Whether it can be kept for later requests.</summary>
    public bool IsWhole
    {
        get
        {
            lock (_lock)
            {
                return _hasBeginning && _verdict is { Fault: null };
            }
        }
    }

    /// <summary>Whether the producer was told to stop because no reader can use the file.</summary>
    public bool IsAbandoned
    {
        get
        {
            lock (_lock)
            {
                return _isAbandoned;
            }
        }
    }

    /// <summary>How many bytes of memory it holds.</summary>
    public long Memory
    {
        get
        {
            lock (_lock)
            {
                return _filled - _windowStart;
            }
        }
    }

    /// <summary>Adds a reader, unless bytes that it needs are gone.</summary>
    public bool TryAttach(NarDelivery reader, long start)
    {
        lock (_lock)
        {
            if (!_hasBeginning && start < _windowStart)
            {
                return false;
            }

            _readers.Add(reader);
            _forProducer.Fire();
            return true;
        }
    }

    public void Detach(NarDelivery reader)
    {
        lock (_lock)
        {
            _readers.Remove(reader);
            _forProducer.Fire();
            FreeIfUnused();
        }
    }

    /// <summary>Stops the producer: no reader can use the file.</summary>
    public void Abandon()
    {
        lock (_lock)
        {
            _isAbandoned = true;
            _forProducer.Fire();
        }
    }

    /// <summary>Frees its bytes once the last reader is detached. Until then readers compare them with the next upstream's file.</summary>
    public void Release()
    {
        lock (_lock)
        {
            _isReleased = true;
            FreeIfUnused();
        }
    }

    /// <summary>Whether all bytes from a place on are still at hand.</summary>
    public bool Holds(long start)
    {
        lock (_lock)
        {
            return !_isFreed && (_hasBeginning || start >= _windowStart);
        }
    }

    /// <summary>The chunk that the producer reads into; the producer drops it.</summary>
    public NarChunk Open()
    {
        lock (_lock)
        {
            if (_tail is not { HasRoom: true })
            {
                _tail?.Drop();
                _tail = new NarChunk(_filled);
            }

            _tail.Hold();
            return _tail;
        }
    }

    /// <summary>Takes in what was read into a chunk.</summary>
    public NarChunk.Piece Fill(NarChunk chunk, int count)
    {
        lock (_lock)
        {
            var piece = chunk.Fill(count);
            _filled += count;
            if (!ReferenceEquals(_lastHeld, chunk))
            {
                chunk.Hold();
                _window.Enqueue(_lastHeld = chunk);
            }

            return piece;
        }
    }

    /// <summary>Told by the verifier how far it is, and how far readers may read.</summary>
    public void Advance(long taken, long released)
    {
        lock (_lock)
        {
            (_taken, _released) = (taken, Math.Max(_released, ReleaseBound.Within(length, released)));
            _forReaders.Fire();
            _forProducer.Fire();
        }
    }

    /// <summary>Ends it.</summary>
    public void Complete(NarVerdict verdict)
    {
        lock (_lock)
        {
            _verdict ??= verdict;
            _forReaders.Fire();
        }
    }

    /// <summary>Waits until the producer may read on: somebody reads, and the window has room. False when the body is abandoned.</summary>
    /// <exception cref="NarRefusedException">The file holds more padding than the window, and none of it may leave.</exception>
    public async ValueTask<bool> TryMakeRoomAsync(CancellationToken cancellation)
    {
        while (true)
        {
            Task changed;
            NarChunk? oldest = null;
            lock (_lock)
            {
                var isNeeded = _readers.Exists(reader => !reader.IsBeyond);
                if (_isAbandoned || (isNeeded && _window.Count < MaxChunks))
                {
                    return !_isAbandoned;
                }

                if (isNeeded)
                {
                    oldest = _window.Peek();
                }

                changed = _forProducer.Next;
            }

            if (oldest is null || !TryEvict(oldest))
            {
                await changed.WaitAsync(cancellation);
            }
        }
    }

    /// <summary>Whether a reader's next byte may leave, or nothing more will come.</summary>
    public async Task<NarVerdict?> ReadyAsync(NarDelivery reader, CancellationToken cancellation)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (_verdict is not null || reader.Offset < ReleaseBound.For(reader.Range, _released))
                {
                    return _verdict;
                }

                changed = _forReaders.Next;
            }

            await changed.WaitAsync(cancellation);
        }
    }

    /// <summary>Reads what a reader may have; 0 at the end of a file that is right, null when the file is refused.</summary>
    public async ValueTask<int?> TryReadAsync(NarDelivery reader, Memory<byte> buffer, CancellationToken cancellation)
    {
        while (true)
        {
            Task changed;
            TakenBytes? taken = null;
            lock (_lock)
            {
                if (_verdict is { } verdict && (reader.FaultOf(verdict) is not null || (reader.Promised ?? _filled) != _filled))
                {
                    return null;
                }

                var limit = _verdict is null ? ReleaseBound.For(reader.Range, _released) : Math.Min(_filled, reader.Range.End);
                if (reader.Offset >= limit && _verdict is not null)
                {
                    return 0;
                }

                if (reader.Offset < limit)
                {
                    taken = Take(reader, buffer, limit);
                    changed = Task.CompletedTask;
                }
                else
                {
                    changed = _forReaders.Next;
                }
            }

            if (taken is { } bytes)
            {
                await bytes.CopyAsync(cancellation);
                return bytes.Room.Length;
            }

            await changed.WaitAsync(cancellation);
        }
    }

    /// <summary>Whether the file has these bytes at a place. <see cref="Holds"/> must be true of it, and a reader attached.</summary>
    public async Task<bool> HasAsync(long start, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        var buffer = new byte[bytes.Length];
        for (var done = 0; done < buffer.Length;)
        {
            var part = Locate(start + done, buffer.AsMemory(done));
            await part.CopyAsync(cancellation);
            done += part.Room.Length;
        }

        return bytes.Span.SequenceEqual(buffer);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            Free();
        }
    }

    /// <summary>Takes bytes for a reader.</summary>
    /// <remarks>Its offset moves before they are copied, so a thread that binds it to another body sees what it was given.</remarks>
    private TakenBytes Take(NarDelivery reader, Memory<byte> buffer, long limit)
    {
        if (reader.TakeKept(buffer.Span) is var kept and > 0)
        {
            return new TakenBytes(null, null, 0, buffer[..kept]);
        }

        var bytes = Locate(reader.Offset, buffer[..(int)Math.Min(buffer.Length, limit - reader.Offset)]);
        reader.Offset += bytes.Room.Length;
        _forProducer.Fire();
        return bytes;
    }

    /// <summary>Where bytes are, and how many of them at once. A chunk is held until they are copied.</summary>
    private TakenBytes Locate(long offset, Memory<byte> buffer)
    {
        lock (_lock)
        {
            if (offset < _windowStart)
            {
                return new TakenBytes(null, _spool, offset, buffer[..(int)Math.Min(buffer.Length, _windowStart - offset)]);
            }

            var chunk = Find(offset);
            chunk.Hold();
            return new TakenBytes(chunk, null, offset, buffer[..(int)Math.Min(buffer.Length, chunk.End - offset)]);
        }
    }

    private void FreeIfUnused()
    {
        if (_isReleased && _readers.Count is 0)
        {
            Free();
        }
    }

    private void Free()
    {
        _isFreed = true;
        _tail?.Drop();
        _tail = null;
        while (_window.TryDequeue(out var chunk))
        {
            chunk.Drop();
        }

        _spool?.Dispose();
    }

    private NarChunk Find(long offset)
    {
        foreach (var chunk in _window)
        {
            if (offset < chunk.End)
            {
                return chunk;
            }
        }

        throw new UnreachableException();
    }

    /// <summary>Moves the window past its oldest chunk, to the disk where it takes it; false while a reader still needs the
    /// chunk.</summary>
    private bool TryEvict(NarChunk oldest)
    {
        var isSpooled = MaySpool() && (_spool ??= space.Open())?.TryAppend(oldest.All) is true;
        lock (_lock)
        {
            if (!isSpooled && _readers.Exists(reader => !reader.HasPassed(oldest)))
            {
                return IsStuck ? throw new NarRefusedException(NarFault.Compression) : false;
            }

            _hasBeginning &= isSpooled;
            _windowStart = oldest.End;
            _window.Dequeue().Drop();
            return true;
        }
    }

    private bool MaySpool()
    {
        lock (_lock)
        {
            return _hasBeginning
                && (_windowStart < LoneSpool || _readers.Count > 1 || _readers.Exists(reader => reader.Range != ByteRange.All));
        }
    }

    /// <summary>Whether all is verified and read that can be, and yet none of the window may leave.</summary>
    private bool IsStuck => _taken == _filled && _readers.TrueForAll(reader => reader.Offset >= ReleaseBound.For(reader.Range, _released));
}
