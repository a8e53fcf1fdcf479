namespace TrustixProxy.Substituter.Fairness;

/// <summary>Limits how many do something at once, has their requesters take turns, and leaves room beside the greediest.</summary>
/// <param name="most">Maximum turns given at once.</param>
/// <param name="share">Maximum turns of one requester.</param>
/// <param name="mostWaiting">Maximum waiters. One more takes the place of the last in the longest line.</param>
internal sealed class FairTurns(int most, int share, int mostWaiting)
{
    private readonly Lock _lock = new();
    private readonly FairQueue<Turn> _queue = new(most, share);

    /// <summary>Turns given and not yet given back.</summary>
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

    /// <summary>Adds one who wants what a turn is for. A turn that waits then waits in the requester's line as well.</summary>
    public void Join(Turn turn, Requester requester)
    {
        lock (_lock)
        {
            if (turn.Requesters.Add(requester) && turn.Coming is { Task.IsCompleted: false })
            {
                turn.Waiting.Add(_queue.Add(requester, turn));
                GiveAll();
            }
        }
    }

    /// <summary>Takes a turn at once, which disposing the result gives back; null if that is not possible.</summary>
    public IDisposable? TryTake(Requester requester)
    {
        var turn = new Turn();
        lock (_lock)
        {
            var place = _queue.Add(requester, turn);
            turn.Taken = _queue.Take();
            if (turn.Taken is null)
            {
                _queue.Remove(place);
                return null;
            }
        }

        return new Given(this, turn);
    }

    /// <summary>Takes a turn, which disposing the result gives back; null if too many wait.</summary>
    /// <param name="turn">For those who have joined it.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="OperationCanceledException">The wait was ended.</exception>
    public async ValueTask<IDisposable?> TakeAsync(Turn turn, CancellationToken cancellation)
    {
        var coming = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            turn.Coming = coming;
            turn.Waiting.AddRange(turn.Requesters.Select(requester => _queue.Add(requester, turn)));
            GiveAll();
        }

        if (!coming.Task.IsCompleted)
        {
            await using var end = cancellation.UnsafeRegister(_ => End(turn, cancellation), null);
            await coming.Task;
        }

        return await coming.Task ? new Given(this, turn) : null;
    }

    /// <summary>Gives turns to those that wait, as far as there are any; of the others, keeps as many as may wait.</summary>
    private void GiveAll()
    {
        while (_queue.Take() is { } place)
        {
            place.Item.Taken = place;
            Leave(place.Item);
            place.Item.Coming!.TrySetResult(true);
        }

        while (_queue.Waiting > mostWaiting)
        {
            var last = _queue.LastOfLongest!;
            _queue.Remove(last);
            last.Item.Waiting.Remove(last);
            if (last.Item.Waiting.Count is 0)
            {
                last.Item.Coming!.TrySetResult(false);
            }
        }
    }

    private void Leave(Turn turn)
    {
        turn.Waiting.ForEach(_queue.Remove);
        turn.Waiting.Clear();
    }

    private void End(Turn turn, CancellationToken cancellation)
    {
        lock (_lock)
        {
            Leave(turn); // does nothing once the turn has come
            turn.Coming!.TrySetCanceled(cancellation);
        }
    }

    private void Return(Turn turn)
    {
        lock (_lock)
        {
            if (turn.Taken is { } place)
            {
                turn.Taken = null;
                _queue.Return(place);
                GiveAll();
            }
        }
    }

    private sealed class Given(FairTurns turns, Turn turn) : IDisposable
    {
        public void Dispose() => turns.Return(turn);
    }
}

/// <summary>A turn: for whom, and where it waits. <see cref="FairTurns"/> owns all of it.</summary>
internal sealed class Turn
{
    /// <summary>Who wants what it is for.</summary>
    public HashSet<Requester> Requesters { get; } = [];

    /// <summary>Its places in the lines of those.</summary>
    public List<FairQueue<Turn>.Place> Waiting { get; } = [];

    /// <summary>Completes with whether the turn came; null before it is taken.</summary>
    public TaskCompletionSource<bool>? Coming { get; set; }

    /// <summary>The place that it has taken; null without one.</summary>
    public FairQueue<Turn>.Place? Taken { get; set; }
}
