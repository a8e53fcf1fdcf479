using System.Threading.RateLimiting;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Substituter.Evidence;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Limits concurrent decisions, no matter which client requested them or whether it still waits.</summary>
/// <remarks>A poll holds its turn until its outcome. As many others may still listen for late answers; above that, one is ended: refusals
/// before agreements, the oldest first.</remarks>
internal sealed class PollTurns(int most, TimeProvider time) : IDisposable
{
    /// <summary>Default maximum of concurrent decisions.</summary>
    public const int Default = 2000;

    /// <summary>Maximum waiters for a turn.</summary>
    private const int MostWaiting = 10_000;

    private readonly LinkedList<ElectorPoll> _listening = new(); // the oldest first
    private readonly ConcurrencyLimiter _turns = new(new ConcurrencyLimiterOptions
    {
        PermitLimit = most,
        QueueLimit = MostWaiting,
        QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
    });

    /// <summary>Maximum concurrent decisions.</summary>
    public int Most => most;

    /// <summary>Decisions in flight.</summary>
    public int Taken => most - (int)(_turns.GetStatistics()?.CurrentAvailablePermits ?? most);

    /// <summary>Polls that have their outcome and listen for late answers.</summary>
    public int Listening
    {
        get
        {
            lock (_listening)
            {
                return _listening.Count;
            }
        }
    }

    /// <summary>Takes a turn; null if none became free in time, or too many callers wait.</summary>
    public async ValueTask<IDisposable?> TakeAsync(TimeSpan patience)
    {
        using var late = new CancellationTokenSource(patience, time);
        try
        {
            var turn = await _turns.AcquireAsync(1, late.Token);
            return turn.IsAcquired ? turn : null;
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Registers a poll that has its outcome and keeps listening for late answers.</summary>
    public void Listens(ElectorPoll deliberation, Task end)
    {
        ElectorPoll? surplus = null;
        lock (_listening)
        {
            _listening.AddLast(deliberation);
            if (_listening.Count > most)
            {
                surplus = _listening.FirstOrDefault(other => !other.IsServed) ?? _listening.First!.Value;
                _listening.Remove(surplus);
            }
        }

        surplus?.EndListening();
        _ = end.ContinueWith(
            _ => Forget(deliberation), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    public void Dispose() => _turns.Dispose();

    private void Forget(ElectorPoll deliberation)
    {
        lock (_listening)
        {
            _listening.Remove(deliberation);
        }
    }
}

/// <summary>Limits on polling.</summary>
/// <param name="Again">Rate limit for polls of known refusals.</param>
/// <param name="Turns">Limit of concurrent decisions.</param>
internal sealed record AskingBounds(AskingBudget Again, PollTurns Turns) : IDisposable
{
    public void Dispose() => Turns.Dispose();
}
