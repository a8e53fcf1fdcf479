namespace TrustixProxy.Simulation;

/// <summary>A clock that stands still until it is told to go on to what is due next. Whoever waits for it waits for no real time.</summary>
internal sealed class VirtualTime : TimeProvider
{
    private readonly Lock _turn = new();
    private readonly PriorityQueue<(Timer Timer, int Setting), (long Due, long Number)> _due = new();
    private long _now = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).UtcTicks;
    private long _number;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _now);

    public override DateTimeOffset GetUtcNow() => new(GetTimestamp(), TimeSpan.Zero);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Goes on to the next timer and fires it; false when none is set.</summary>
    public bool GoOn()
    {
        Timer? timer = null;
        lock (_turn)
        {
            while (timer is null)
            {
                if (!_due.TryDequeue(out var next, out var at))
                {
                    return false;
                }

                if (next.Timer.Setting == next.Setting)
                {
                    (timer, _now) = (next.Timer, Math.Max(_now, at.Due));
                    timer.SetAgain();
                }
            }
        }

        timer.Fire();
        return true;
    }

    private sealed class Timer(VirtualTime time, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period = Timeout.InfiniteTimeSpan;

        /// <summary>How often it was set: what is due by an earlier setting is not due any more.</summary>
        public int Setting { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._turn)
            {
                Setting++;
                _period = period;
                if (dueTime != Timeout.InfiniteTimeSpan)
                {
                    time._due.Enqueue((this, Setting), (time._now + dueTime.Ticks, time._number++));
                }
            }

            return true;
        }

        public void SetAgain()
        {
            Setting++;
            if (_period > TimeSpan.Zero)
            {
                time._due.Enqueue((this, Setting), (time._now + _period.Ticks, time._number++));
            }
        }

        public void Fire() => callback(state);

        public void Dispose()
        {
            lock (time._turn)
            {
                Setting++;
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
