using TrustixProxy.IO.Connecting;
using TrustixProxy.Substituter.Evidence;
using TrustixProxy.Substituter.FrontDoor;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Limits concurrent decisions, and has those who ask for them take turns.</summary>
/// <remarks>A poll holds its turn until its outcome, whether a client still waits or not. As many others may still listen for late answers;
/// above that, one is ended: refusals before agreements, the oldest first.</remarks>
internal sealed class PollTurns(int most, TimeProvider time)
{
    /// <summary>Default maximum of concurrent decisions.</summary>
    public const int Default = 2000;

    /// <summary>Maximum waiters for a turn. One more takes the place of the last in the longest line.</summary>
    private const int MostWaiting = 10_000;

    private readonly Lock _lock = new();
    private readonly FairQueue<PollTurn> _queue = new(most, ShareOf(most));
    private readonly LinkedList<ElectorPoll> _listening = new(); // the oldest first

    /// <summary>Maximum concurrent decisions.</summary>
    public int Most => most;

    /// <summary>Maximum concurrent decisions for one client.</summary>
    public int Share => ShareOf(most);

    /// <summary>Decisions in flight.</summary>
    public int Taken
    {
        get
        {
            lock (_lock)
            {
                return _queue.Taken;
            }
        }
    }

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

    /// <summary>An eighth, so that what one client has in flight delays no other by much; at least 64, as far as one is left.</summary>
    private static int ShareOf(int most) => Math.Max(1, Math.Max(most / 8, Math.Min(64, most - 1)));

    /// <summary>Adds one who wants the decision. A turn that waits then waits in the requester's line as well.</summary>
    public void Join(PollTurn turn, Requester requester)
    {
        lock (_lock)
        {
            if (turn.Requesters.Add(requester) && turn.Coming is { Task.IsCompleted: false })
            {
                Wait(turn, requester);
                GiveAll();
            }
        }
    }

    /// <summary>Takes a turn, which disposing the result gives back; null if none became free in time, or too many wait.</summary>
    public async ValueTask<IDisposable?> TakeAsync(PollTurn turn, TimeSpan patience)
    {
        lock (_lock)
        {
            turn.Coming = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            foreach (var requester in turn.Requesters)
            {
                Wait(turn, requester);
            }

            GiveAll();
        }

        if (!turn.Coming.Task.IsCompleted)
        {
            using var late = new CancellationTokenSource(patience, time);
            await using var end = late.Token.UnsafeRegister(_ => End(turn), null);
            await turn.Coming.Task;
        }

        return await turn.Coming.Task ? new Returning(() => Return(turn)) : null;
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

    private void Wait(PollTurn turn, Requester requester)
    {
        turn.Waiting.Add(_queue.Add(requester, turn));
        if (_queue.Waiting > MostWaiting)
        {
            Leave(_queue.LastOfLongest!);
        }
    }

    /// <summary>Gives turns to those that wait, as far as there are any.</summary>
    private void GiveAll()
    {
        while (_queue.Take() is { } place)
        {
            var turn = place.Item;
            turn.Taken = place;
            turn.Waiting.ForEach(_queue.Remove);
            turn.Waiting.Clear();
            turn.Coming!.TrySetResult(true);
        }
    }

    /// <summary>Takes a turn out of one line; it has failed when it waits in no other.</summary>
    private void Leave(FairQueue<PollTurn>.Place place)
    {
        _queue.Remove(place);
        place.Item.Waiting.Remove(place);
        if (place.Item.Waiting.Count is 0)
        {
            place.Item.Coming!.TrySetResult(false);
        }
    }

    private void End(PollTurn turn)
    {
        lock (_lock)
        {
            turn.Waiting.ToList().ForEach(Leave); // none when it has come
        }
    }

    private void Return(PollTurn turn)
    {
        lock (_lock)
        {
            _queue.Return(turn.Taken!);
            GiveAll();
        }
    }

    private void Forget(ElectorPoll deliberation)
    {
        lock (_listening)
        {
            _listening.Remove(deliberation);
        }
    }

    private sealed class Returning(Action give) : IDisposable
    {
        private Action? _give = give;

        public void Dispose() => Interlocked.Exchange(ref _give, null)?.Invoke();
    }
}

/// <summary>Limits on polling.</summary>
/// <param name="Again">Rate limit for polls of known refusals.</param>
/// <param name="Turns">Limit of concurrent decisions.</param>
internal sealed record AskingBounds(AskingBudget Again, PollTurns Turns);
