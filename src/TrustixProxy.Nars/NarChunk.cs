using System.Buffers;

namespace TrustixProxy.Nars;

/// <summary>Some bytes of a file in memory, on their way to the client and to the verifier at once: the last to let go gives the memory
/// back.</summary>
/// <param name="offset">Where in the file it begins.</param>
public sealed class NarChunk(long offset)
{
    private const int Size = 64 << 10;

    /// <summary>Reads into less than this are not worth a call.</summary>
    private const int Least = 16 << 10;

    private readonly byte[] _bytes = ArrayPool<byte>.Shared.Rent(Size);
    private int _hands = 1;
    private int _filled;

    /// <summary>Where in the file it begins.</summary>
    public long Start => offset;

    /// <summary>Where in the file it ends, as far as it is filled.</summary>
    public long End => offset + _filled;

    public bool HasRoom => Size - _filled >= Least;

    /// <summary>All bytes that it is filled with.</summary>
    public ReadOnlySpan<byte> All => _bytes.AsSpan(0, _filled);

    public Memory<byte> Room => _bytes.AsMemory(_filled, Size - _filled);

    /// <summary>Says that the next bytes of the room were filled; gives them.</summary>
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

    /// <summary>Copies what there is of the file from a place on, up to an end; gives how much.</summary>
    public int CopyTo(Span<byte> buffer, long from, long end)
    {
        var count = (int)Math.Min(buffer.Length, Math.Min(end, End) - from);
        _bytes.AsSpan((int)(from - offset), count).CopyTo(buffer);
        return count;
    }

    /// <summary>Bytes of a chunk that were read at once; who has it lets go of it once.</summary>
    public readonly record struct Piece(NarChunk Chunk, int Start, int Count)
    {
        public ReadOnlyMemory<byte> Bytes => Chunk._bytes.AsMemory(Start, Count);
    }
}
