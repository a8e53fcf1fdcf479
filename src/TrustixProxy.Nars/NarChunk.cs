using System.Buffers;

namespace TrustixProxy.Nars;

/// <summary>A piece of a file in memory, shared by the client and the verifier. The last holder to release it returns the buffer.</summary>
/// <param name="offset">Offset of the chunk in the file.</param>
public sealed class NarChunk(long offset)
{
    private const int Size = 64 << 10;

    /// <summary>Minimum room for a read; less is not worth a call.</summary>
    private const int Least = 16 << 10;

    private readonly byte[] _bytes = ArrayPool<byte>.Shared.Rent(Size);
    private int _hands = 1;
    private int _filled;

    /// <summary>Offset in the file at which the chunk begins.</summary>
    public long Start => offset;

    /// <summary>Offset in the file at which the filled part ends.</summary>
    public long End => offset + _filled;

    public bool HasRoom => Size - _filled >= Least;

    /// <summary>All filled bytes.</summary>
    public ReadOnlySpan<byte> All => _bytes.AsSpan(0, _filled);

    public Memory<byte> Room => _bytes.AsMemory(_filled, Size - _filled);

    /// <summary>Marks the next bytes of the buffer as filled; returns them.</summary>
    public Piece Fill(int count)
    {
        _filled += count;
        Hold();
        return new Piece(this, _filled - count, count);
    }

    public void Hold() => Interlocked.Increment(ref _hands);

    public void Drop()
    {
        if (Interlocked.Decrement(ref _hands) is 0)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
        }
    }

    /// <summary>Copies the file's bytes between two offsets, as far as this chunk has them; returns how many.</summary>
    public int CopyTo(Span<byte> buffer, long from, long end)
    {
        var count = (int)Math.Min(buffer.Length, Math.Min(end, End) - from);
        _bytes.AsSpan((int)(from - offset), count).CopyTo(buffer);
        return count;
    }

    /// <summary>Bytes of a chunk from one read; their holder releases the chunk once.</summary>
    public readonly record struct Piece(NarChunk Chunk, int Start, int Count)
    {
        public ReadOnlyMemory<byte> Bytes => Chunk._bytes.AsMemory(Start, Count);
    }
}
