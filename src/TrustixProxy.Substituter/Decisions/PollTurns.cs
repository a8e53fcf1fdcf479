using TrustixProxy.IO.Connecting;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.Fairness;


namespace TrustixProxy.Substituter.Decisions;

/// <summary>Limits concurrent decisions, and has those who ask for them take turns.</summary>
/// <remarks>A poll holds its turn until its outcome, whether a client still waits or not. As many others may still listen for late answers;
/// above that, one is ended: refusals before agreements, the oldest first.</remarks>
internal sealed class PollTurns(int most, TimeProvider time)
{
    /// <summary>Default maximum of concurrent decisions.</summary>
    public const int Default = 2000;

    /// <summary>Maximum waiters for a turn.</summary>
    private const int MostWaiting = 10_000;

    private readonly FairTurns _turns = new(most, ShareOf(most), MostWaiting);
    private readonly LinkedList<ElectorPoll> _listening = new(); // the oldest first

    /// <summary>Maximum concurrent decisions.</summary>
    public int Most => most;

    /// <summary>Maximum concurrent decisions for one client.</summary>
    public int Share => ShareOf(most);

    /// <summary>Decisions in flight.</summary>
    public int Taken => _turns.Taken;

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

    /// <summary>Few enough that what one client has in flight delays no other by more than 100 ms on two cores, and never all.</summary>
    private static int ShareOf(int most) => Math.Clamp(most - 1, 1, 48);

    /// <summary>Adds one who wants the decision that a turn is for.</summary>
    public void Join(Turn turn, Requester requester) => _turns.Join(turn, requester);

    /// <summary>Takes a turn, which disposing the result gives back; null if none became free in time, or too many wait.</summary>
    public async ValueTask<IDisposable?> TakeAsync(Turn turn, TimeSpan patience)
    {
        using var late = new CancellationTokenSource(patience, time);
        try
        {
            return await _turns.TakeAsync(turn, late.Token);
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
internal sealed record AskingBounds(AskingBudget Again, PollTurns Turns);
