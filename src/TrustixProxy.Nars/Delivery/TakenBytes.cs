namespace TrustixProxy.Nars.Delivery;

/// <summary>Bytes a reader takes from a held chunk or from the spool. With neither, they are already in its buffer.</summary>
/// <param name="Chunk">The chunk; null when the bytes are elsewhere.</param>
/// <param name="Spool">The spool; null when the bytes are elsewhere.</param>
/// <param name="Start">Offset of the first byte in the file.</param>
/// <param name="Room">The destination; filled completely.</param>
internal readonly record struct TakenBytes(NarChunk? Chunk, NarSpool? Spool, long Start, Memory<byte> Room)
{
    /// <summary>Copies the bytes and releases the chunk.</summary>
    /// <exception cref="EndOfStreamException">The spool is shorter than the bytes written to it.</exception>
    public async ValueTask CopyAsync(CancellationToken cancellation)
    {
        if (Chunk is not null)
        {
            Chunk.CopyTo(Room.Span, Start, Chunk.End);
            Chunk.Drop();
        }

        for (var done = 0; Spool is not null && done < Room.Length;)
        {
            var read = await Spool.ReadAsync(Room[done..], Start + done, cancellation);
            done += read > 0 ? read : throw new EndOfStreamException("The spool of a download is shorter than the bytes written to it.");
        }
    }
}
