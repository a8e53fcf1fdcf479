using TrustixProxy.Nars.Upstreams;

namespace TrustixProxy.Nars.Delivery;

/// <summary>One upstream's file on its way to all who read it. One producer fills it; each reader goes at its own speed.</summary>
/// <remarks>
/// <code>
///   0 ────────────── spool ──────────────┬─────── window, in memory ───────┐
///   └─ read from disk by slow readers    └─ read by those that keep up     └─ the producer
///                                                    └─ released: nothing beyond is sent before the verdict
/// </code>
/// <see cref="NarWindow"/> holds the bytes. This class says who may read which of them, and wakes readers and the producer.
/// When the disk is full, the window moves only past what every reader has read: the producer waits, and later requests start a download of
/// their own.</remarks>
public sealed class NarBody(NarCandidate source, long? length, SpoolSpace space) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly NarWindow _window = new(space);
    private readonly List<NarDelivery> _readers = [];
    private readonly Signal _forReaders = new(), _forProducer = new();
    private volatile bool _isAbandoned;
    private bool _isReleased;
    private long _taken, _released;
    private NarVerdict? _verdict;

    /// <summary>The upstream's file.</summary>
    public NarCandidate Source => source;

    /// <summary>The length of the file; null when it is not known.</summary>
    public long? Length => length;

    /// <summary>The verdict on the file; null while it is open.</summary>
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

    /// <summary>Whether later requests can read it.</summary>
    public bool IsWhole
    {
        get
        {
            lock (_lock)
            {
                return _window.HasBeginning && _verdict is { Fault: null };
            }
        }
    }

    /// <summary>Whether no reader can use the file, so that the producer stops.</summary>
    public bool IsAbandoned => _isAbandoned;

    /// <summary>How many bytes of memory it holds.</summary>
    public long Memory
    {
        get
        {
            lock (_lock)
            {
                return _window.Memory;
            }
        }
    }

    /// <summary>Adds a reader; false when bytes that it needs are gone.</summary>
    public bool TryAttach(NarDelivery reader, long start)
    {
        lock (_lock)
        {
            if (!_window.Reaches(start))
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

    /// <summary>Whether all bytes from an offset on are still at hand.</summary>
    public bool Holds(long start)
    {
        lock (_lock)
        {
            return _window.Holds(start);
        }
    }

    /// <summary>The chunk that the producer reads into; the producer drops it.</summary>
    public NarChunk Open()
    {
        lock (_lock)
        {
            return _window.Open();
        }
    }

    /// <summary>Adds what the producer read into a chunk.</summary>
    public NarChunk.Piece Fill(NarChunk chunk, int count)
    {
        lock (_lock)
        {
            return _window.Fill(chunk, count);
        }
    }

    /// <summary>Sets how far the verifier is, and how far readers may read.</summary>
    public void Advance(long taken, long released)
    {
        lock (_lock)
        {
            (_taken, _released) = (taken, Math.Max(_released, ReleaseBound.Within(length, released)));
            _forReaders.Fire();
            _forProducer.Fire();
        }
    }

    /// <summary>Ends the file with its verdict.</summary>
    public void Complete(NarVerdict verdict)
    {
        lock (_lock)
        {
            _verdict ??= verdict;
            _forReaders.Fire();
        }
    }

    /// <summary>Waits until the producer may read on: a reader needs more, and the window has room. False when the body is
    /// abandoned.</summary>
    /// <exception cref="NarRefusedException">The file holds more padding than the window, and none of it may be sent.</exception>
    public async ValueTask<bool> TryMakeRoomAsync(CancellationToken cancellation)
    {
        while (true)
        {
            Task changed;
            NarChunk? oldest = null;
            lock (_lock)
            {
                var isNeeded = _readers.Exists(reader => !reader.IsBeyond);
                if (_isAbandoned || (isNeeded && !_window.IsFull))
                {
                    return !_isAbandoned;
                }

                if (isNeeded)
                {
                    oldest = _window.Oldest;
                }

                changed = _forProducer.Next;
            }

            if (oldest is null || !TryEvict(oldest))
            {
                await changed.WaitAsync(cancellation);
            }
        }
    }

    /// <summary>Waits until a reader's next byte may be sent, or nothing more comes; returns the verdict if there is one.</summary>
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

    /// <summary>Reads what a reader may have; returns 0 at the end of a good file, null when the file is refused.</summary>
    public async ValueTask<int?> TryReadAsync(NarDelivery reader, Memory<byte> buffer, CancellationToken cancellation)
    {
        while (true)
        {
            Task changed;
            TakenBytes? taken;
            lock (_lock)
            {
                if (_verdict is { } verdict && (reader.FaultOf(verdict) is not null || (reader.Promised ?? _window.End) != _window.End))
                {
                    return null;
                }

                var limit = _verdict is null ? ReleaseBound.For(reader.Range, _released) : Math.Min(_window.End, reader.Range.End);
                if (reader.Offset >= limit && _verdict is not null)
                {
                    return 0;
                }

                var mayRead = reader.Offset < limit;
                taken = mayRead ? Take(reader, buffer, limit) : null;
                changed = mayRead ? Task.CompletedTask : _forReaders.Next;
            }

            if (taken is { } bytes)
            {
                await bytes.CopyAsync(cancellation);
                return bytes.Room.Length;
            }

            await changed.WaitAsync(cancellation);
        }
    }

    /// <summary>Whether the file has these bytes at an offset. <see cref="Holds"/> must be true of it, and a reader attached.</summary>
    public async Task<bool> HasAsync(long start, ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        var buffer = new byte[bytes.Length];
        for (var done = 0; done < buffer.Length;)
        {
            TakenBytes part;
            lock (_lock)
            {
                part = _window.Locate(start + done, buffer.AsMemory(done));
            }

            await part.CopyAsync(cancellation);
            done += part.Room.Length;
        }

        return bytes.Span.SequenceEqual(buffer);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _window.Free();
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

        var bytes = _window.Locate(reader.Offset, buffer[..(int)Math.Min(buffer.Length, limit - reader.Offset)]);
        reader.Offset += bytes.Room.Length;
        _forProducer.Fire();
        return bytes;
    }

    private void FreeIfUnused()
    {
        if (_isReleased && _readers.Count is 0)
        {
            _window.Free();
        }
    }

    /// <summary>Moves the window past its oldest chunk, which goes to the disk if there is room; false while a reader still needs
    /// it.</summary>
    private bool TryEvict(NarChunk oldest)
    {
        var isSpooled = MaySpool() && _window.TrySpool(oldest);
        lock (_lock)
        {
            if (!isSpooled && _readers.Exists(reader => !reader.HasPassed(oldest)))
            {
                return IsStuck ? throw new NarRefusedException(NarFault.Compression) : false;
            }

            _window.DropOldest(isSpooled);
            return true;
        }
    }

    private bool MaySpool()
    {
        lock (_lock)
        {
            var isShared = _readers.Count > 1 || _readers.Exists(reader => reader.Range != ByteRange.All);
            return _window.MaySpool(isShared);
        }
    }

    /// <summary>Whether readers and verifier have done all they can, and yet none of the window may be sent.</summary>
    private bool IsStuck =>
        _taken == _window.End && _readers.TrueForAll(reader => reader.Offset >= ReleaseBound.For(reader.Range, _released));
}
