namespace TrustixProxy.Nars;

/// <summary>A request's decompression slot: acquired once, held until the request ends.</summary>
/// <param name="turns">Limits the number of slots.</param>
/// <param name="patience">Maximum wait. A request that waited this long goes on without a slot, so slow clients cannot starve the
/// others.</param>
internal sealed class DecompressionSlot(SemaphoreSlim turns, TimeSpan patience, TimeProvider time) : IDisposable
{
    private bool _isTaken, _hasWaited;

    /// <summary>Waits for the slot; returns the wait in the clock's ticks.</summary>
    public async ValueTask<long> TakeAsync(CancellationToken cancellation)
    {
        if (_hasWaited)
        {
            return 0;
        }

        var start = time.GetTimestamp();
        _isTaken = await turns.WaitAsync(patience, cancellation);
        _hasWaited = true;
        return time.GetTimestamp() - start;
    }

    public void Dispose()
    {
        if (_isTaken)
        {
            turns.Release();
        }
    }
}
