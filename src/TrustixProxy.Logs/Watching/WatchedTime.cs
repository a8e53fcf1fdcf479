using TrustixProxy.IO.Storage;

namespace TrustixProxy.Logs.Watching;

/// <summary>Counts the time during which this proxy has run: the smaller progress of the wall clock and the monotonic clock.</summary>
/// <remarks>A clock that is set adds nothing. Time in which no process ran, or which a crash kept from the disk, is not
/// counted.</remarks>
public sealed class WatchedTime
{
    private static readonly TimeSpan KeepEvery = TimeSpan.FromMinutes(1);

    private readonly StateWriter _state;
    private readonly TimeProvider _time;
    private readonly Lock _turn = new();
    private TimeSpan _total, _kept;
    private DateTimeOffset _wall;
    private long _monotonic;

    /// <param name="state">Keeps the count.</param>
    public WatchedTime(StateWriter state, TimeProvider time)
    {
        (_state, _time, _wall, _monotonic) = (state, time, time.GetUtcNow(), time.GetTimestamp());
        state.Database.Ensure(
            "CREATE TABLE IF NOT EXISTS watched_time (one INTEGER PRIMARY KEY CHECK (one = 1), seconds INTEGER NOT NULL)");
        _total = _kept = TimeSpan.FromSeconds(state.Database.First("SELECT seconds FROM watched_time", row => row.Number(0)));
    }

    /// <summary>The wall clock, in seconds of Unix time. It may be set.</summary>
    public double Wall => (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds;

    /// <summary>The count so far; it never falls.</summary>
    public TimeSpan Total
    {
        get
        {
            lock (_turn)
            {
                var (wall, monotonic) = (_time.GetUtcNow(), _time.GetTimestamp());
                var (byWall, byMonotonic) = (wall - _wall, _time.GetElapsedTime(_monotonic, monotonic));
                var progress = byWall < byMonotonic ? byWall : byMonotonic;
                (_wall, _monotonic) = (wall, monotonic);
                _total += progress > TimeSpan.Zero ? progress : TimeSpan.Zero;
                if (_total - _kept >= KeepEvery)
                {
                    _kept = _total;
                    Keep((long)_total.TotalSeconds);
                }

                return _total;
            }
        }
    }

    /// <summary>Writes the count; another process on the same state may have counted further.</summary>
    private void Keep(long seconds) => _state.Write(() => _state.Database.Execute(
        "INSERT INTO watched_time (one, seconds) VALUES (1, $seconds) ON CONFLICT (one) DO UPDATE SET seconds = max(seconds, $seconds)",
        seconds));
}
