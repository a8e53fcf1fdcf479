using System.Diagnostics;

namespace TrustixProxy.Nars.Delivery;

/// <summary>The bytes of one file: the newest in memory, older ones in a spool on the disk or gone.</summary>
/// <remarks>The caller calls every member under one lock, except <see cref="TrySpool"/>, which only the producer calls.</remarks>
/// <param name="space">Opens the spool.</param>
internal sealed class NarWindow(SpoolSpace space)
{
    /// <summary>The most chunks in memory; with the one that is being read they take less than 2 MiB.</summary>
    private const int MaxChunks = 28;

    /// <summary>How many bytes are spooled for a lone reader. A second reader that comes later starts a download of its own.</summary>
    /// <remarks>Every spooled byte is copied once more, which a fast reader feels; larger files are rarely wanted twice at a time.
    /// </remarks>
    private const long LoneSpool = 64L << 20;

    private readonly Queue<NarChunk> _chunks = new();
    private NarChunk? _tail, _lastHeld;
    private NarSpool? _spool;
    private bool _isFreed;

    /// <summary>The offset of the first byte in memory.</summary>
    public long Start { get; private set; }

    /// <summary>The offset after the last byte.</summary>
    public long End { get; private set; }

    /// <summary>Whether all bytes before the window are in the spool.</summary>
    public bool HasBeginning { get; private set; } = true;

    /// <summary>How many bytes of memory it holds.</summary>
    public long Memory => End - Start;

    /// <summary>Whether the oldest chunk must go before the producer reads on.</summary>
    public bool IsFull => _chunks.Count >= MaxChunks;

    /// <summary>The oldest chunk in memory. There must be one.</summary>
    public NarChunk Oldest => _chunks.Peek();

    /// <summary>Whether no byte from an offset on was dropped.</summary>
    public bool Reaches(long offset) => HasBeginning || offset >= Start;

    /// <summary>Whether all bytes from an offset on are still at hand.</summary>
    public bool Holds(long offset) => !_isFreed && Reaches(offset);

    /// <summary>Opens the chunk that the producer reads into. The producer drops it.</summary>
    public NarChunk Open()
    {
        if (_tail is not { HasRoom: true })
        {
            _tail?.Drop();
            _tail = new NarChunk(End);
        }

        _tail.Hold();
        return _tail;
    }

    /// <summary>Adds what the producer read into a chunk.</summary>
    public NarChunk.Piece Fill(NarChunk chunk, int count)
    {
        var piece = chunk.Fill(count);
        End += count;
        if (!ReferenceEquals(_lastHeld, chunk))
        {
            chunk.Hold();
            _chunks.Enqueue(_lastHeld = chunk);
        }

        return piece;
    }

    /// <summary>Finds bytes, at most as many as lie together. A chunk is held until they are copied.</summary>
    public TakenBytes Locate(long offset, Memory<byte> buffer)
    {
        if (offset < Start)
        {
            return new TakenBytes(null, _spool, offset, buffer[..(int)Math.Min(buffer.Length, Start - offset)]);
        }

        var chunk = Find(offset);
        chunk.Hold();
        return new TakenBytes(chunk, null, offset, buffer[..(int)Math.Min(buffer.Length, chunk.End - offset)]);
    }

    /// <summary>Whether the next chunk is worth a place in the spool.</summary>
    /// <param name="isShared">Whether there are several readers, or one that reads a part.</param>
    public bool MaySpool(bool isShared) => HasBeginning && (isShared || Start < LoneSpool);

    /// <summary>Writes a chunk to the spool; false when the disk takes no more.</summary>
    public bool TrySpool(NarChunk chunk) => (_spool ??= space.Open())?.TryAppend(chunk.All) is true;

    /// <summary>Drops the oldest chunk from memory.</summary>
    /// <param name="isSpooled">Whether the spool has it.</param>
    public void DropOldest(bool isSpooled)
    {
        var oldest = _chunks.Dequeue();
        HasBeginning &= isSpooled;
        Start = oldest.End;
        oldest.Drop();
    }

    /// <summary>Frees all bytes.</summary>
    public void Free()
    {
        _isFreed = true;
        _tail?.Drop();
        _tail = null;
        while (_chunks.TryDequeue(out var chunk))
        {
            chunk.Drop();
        }

        _spool?.Dispose();
    }

    private NarChunk Find(long offset)
    {
        foreach (var chunk in _chunks)
        {
            if (offset < chunk.End)
            {
                return chunk;
            }
        }

        throw new UnreachableException();
    }
}
