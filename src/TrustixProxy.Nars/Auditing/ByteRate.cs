namespace TrustixProxy.Nars.Auditing;

/// <summary>Bounds how many bytes all downloads together take in a second.</summary>
/// <param name="perSecond">Bytes per second; null for no bound.</param>
internal sealed class ByteRate(long? perSecond, TimeProvider time)
{
    private const int SmallPiece = 4 << 10, LargePiece = 128 << 10;

    private readonly Lock _turn = new();
    private long _freeAt = time.GetTimestamp();

    /// <summary>Maximum number of bytes to read at once, so that no download waits long for one read.</summary>
    public int Piece => perSecond is null ? LargePiece : SmallPiece;

    /// <summary>The longest wait of one read while this many downloads share the rate.</summary>
    public TimeSpan LongestWait(int downloads) =>
        perSecond is { } rate ? TimeSpan.FromSeconds((double)SmallPiece * downloads / rate) : TimeSpan.Zero;

    /// <summary>Waits until these bytes, and all taken before, are within the rate.</summary>
    public async ValueTask TakeAsync(int bytes, CancellationToken cancellation)
    {
        if (perSecond is not { } rate)
        {
            return;
        }

        TimeSpan wait;
        lock (_turn)
        {
            var now = time.GetTimestamp();
            _freeAt = Math.Max(_freeAt, now) + (long)((double)bytes / rate * time.TimestampFrequency);
            wait = time.GetElapsedTime(now, _freeAt);
        }

        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, time, cancellation);
        }
    }
}
