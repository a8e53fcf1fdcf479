namespace TrustixProxy.IO.Streams;

/// <summary>Reads streams of untrusted length.</summary>
public static class BoundedStream
{
    private const int FirstBuffer = 4 << 10;

    /// <summary>Reads a whole stream; null when it is longer than <paramref name="most"/> bytes.</summary>
    /// <param name="stream">The stream; the caller owns it.</param>
    /// <param name="most">Maximum length in bytes.</param>
    /// <param name="length">The length that the sender declares; null if unknown. It only sizes the buffer.</param>
    public static async Task<ReadOnlyMemory<byte>?> ReadWholeAsync(Stream stream, int most, long? length, CancellationToken cancellation)
    {
        var (buffer, filled) = (new byte[(int)Math.Min(length ?? FirstBuffer, most) + 1], 0);
        while (await stream.ReadAsync(buffer.AsMemory(filled), cancellation) is var read and > 0)
        {
            filled += read;
            if (filled > most)
            {
                return null;
            }

            if (filled == buffer.Length)
            {
                Array.Resize(ref buffer, (int)Math.Min(filled * 2L, most + 1L));
            }
        }

        return buffer.AsMemory(0, filled);
    }
}
