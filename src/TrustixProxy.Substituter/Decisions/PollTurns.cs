using System.Threading.RateLimiting;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Substituter.Evidence;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Bounds how many paths are decided on at once, whoever asks for them and whether they still wait.</summary>
/// <remarks>A deliberation holds its turn until its outcome. As many others may still listen for late answers: beyond that, one of them
/// ends at once,
/// a refusal before an agreement, and the oldest first.</remarks>
internal sealed class PollTurns(int most, TimeProvider time) : IDisposable
{
    /// <summary>How many are decided on at once where nothing else is configured.</summary>
    public const int Default = 2000;

    /// <summary>How many may wait for a turn.</summary>
    private const int MostWaiting = 10_000;

    private readonly LinkedList<ElectorPoll> _listening = new(); // the oldest first
    private readonly ConcurrencyLimiter _turns = new(new ConcurrencyLimiterOptions
    {
        PermitLimit = most,
        QueueLimit = MostWaiting,
        QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
    });

    /// <summary>How many are decided on at once at most.</summary>
    public int Most => most;

    /// <summary>How many are being decided on.</summary>
    public int Taken => most - (int)(_turns.GetStatistics()?.CurrentAvailablePermits ?? most);

    /// <summary>How many have their outcome and listen for late answers.</summary>
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

    /// <summary>Takes a turn; null when none came free in time, or too many wait already.</summary>
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

    /// <summary>A deliberation has its outcome, and goes on to listen.</summary>
    /// <param name="deliberation">The deliberation.</param>
    /// <param name="end">Its end.</param>
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

/// <summary>What bounds the asking.</summary>
/// <param name="Again">How often known refusals are asked about again.</param>
/// <param name="Turns">How many paths are decided on at once.</param>
internal sealed record AskingBounds(AskingBudget Again, PollTurns Turns) : IDisposable
{
    public void Dispose() => Turns.Dispose();
}
