namespace TrustixProxy.Nars;

/// <summary>A request's turn to decompress: taken once, and kept until its end.</summary>
/// <param name="turns">How many there are.</param>
/// <param name="patience">How long it is waited for; who has waited so long goes on without. Clients that read slowly, or not at all, keep
/// theirs: they must not keep all others from getting anything.</param>
/// <param name="time">The clock.</param>
internal sealed class DecompressionSlot(SemaphoreSlim turns, TimeSpan patience, TimeProvider time) : IDisposable
{
    private bool _isTaken, _hasWaited;

    /// <summary>Waits for it; gives how long that took, in the clock's ticks.</summary>
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
