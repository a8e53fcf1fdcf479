using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Watching;

/// <summary>Knows for how long a log has held its entries: it keeps the size of one head an hour.</summary>
/// <remarks>
/// <code>
/// heads kept     size 10 at 1 h    size 14 at 2 h    size 30 at 3 h    now 3.5 h
/// entry 12       not held          held since 2 h                      age 1.5 h
/// </code>
/// Each head continues the one before, so an entry of one head is in all later ones. An entry is never older than its age here:
/// where cosignatures are demanded, age is the smaller of what two clocks say. One is the witnesses': from the newest cosignature of the
/// first head to the latest time that a quorum of them reaches now. The other is this machine's own. Elsewhere <see cref="WatchedTime"/>
/// counts. Heads that a clock, set back, puts into the future are forgotten.</remarks>
/// <param name="key">The log's key.</param>
/// <param name="state">Keeps the heads.</param>
/// <param name="watched">Counts time for heads without cosignatures.</param>
/// <param name="longest">The longest age that is asked for; older heads are dropped.</param>
/// <param name="logger">Logs what the disk refuses.</param>
public sealed class HeadAges(LogKey key, StateWriter state, WatchedTime watched, TimeSpan longest, ILogger logger)
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private readonly long _step = (long)(longest / 4 < Hour ? longest / 4 : Hour).TotalSeconds;
    private readonly Lock _turn = new();
    private readonly long?[] _kept = new long?[3]; // when the newest head was kept, by each clock

    /// <summary>Forgets heads beyond a view: a view that went back, or was lost, continues none of them.</summary>
    /// <param name="viewSize">The view's size; -1 without a view.</param>
    public void Begin(long viewSize)
    {
        Refused(DiskRefusal.Of(() => state.Database.Execute(
            "DELETE FROM log_head_age WHERE log_id = $id AND size > $size", key.LogId, viewSize)));
        lock (_turn)
        {
            Array.Clear(_kept);
        }
    }

    /// <summary>Keeps a head that is the log's view, unless one was kept within the hour.</summary>
    /// <param name="size">The head's size.</param>
    /// <param name="witnessedAt">The latest time that a demanded witness's cosignature names; null where none are demanded.</param>
    public void Note(long size, DateTimeOffset? witnessedAt)
    {
        if (witnessedAt is { } cosigned)
        {
            Keep(Clock.Witnesses, cosigned.ToUnixTimeSeconds(), size);
            Keep(Clock.Wall, (long)Math.Ceiling(watched.Wall), size); // rounded up, so that no age is rounded up
        }
        else
        {
            Keep(Clock.Watched, (long)Math.Ceiling(watched.Total.TotalSeconds), size);
        }
    }

    /// <summary>The time for which the log is known to have held an entry; zero when it is in no kept head.</summary>
    /// <param name="leaf">Index of the entry's leaf, from 0.</param>
    /// <param name="witnessedAt">The latest time that a quorum of cosignatures reaches on the head that it was proven under; null where
    /// none are demanded.</param>
    public TimeSpan AgeOf(long leaf, DateTimeOffset? witnessedAt)
    {
        if (witnessedAt is not { } at)
        {
            return AgeBy(Clock.Watched, (long)watched.Total.TotalSeconds, leaf);
        }

        var (theirs, own) = (AgeBy(Clock.Witnesses, at.ToUnixTimeSeconds(), leaf), AgeBy(Clock.Wall, (long)watched.Wall, leaf));
        return theirs < own ? theirs : own;
    }

    private TimeSpan AgeBy(Clock clock, long now, long leaf)
    {
        long? since = null;
        Refused(DiskRefusal.Of(() => since = state.Database.First(
            "SELECT min(at) FROM log_head_age WHERE log_id = $id AND clock = $clock AND size > $leaf",
            row => row.IsNull(0) ? (long?)null : row.Number(0), key.LogId, (int)clock, leaf)));
        return since < now ? TimeSpan.FromSeconds(now - since.Value) : TimeSpan.Zero;
    }

    private void Keep(Clock clock, long at, long size)
    {
        var isBack = false;
        lock (_turn)
        {
            var last = _kept[(int)clock] ??= Last(clock);
            isBack = at < last;
            if (!isBack && at < last + _step)
            {
                return;
            }

            _kept[(int)clock] = at;
        }

        state.Write(() =>
        {
            if (isBack)
            {
                state.Database.Execute("DELETE FROM log_head_age WHERE log_id = $id AND clock = $clock AND at > $at",
                    key.LogId, (int)clock, at);
            }

            state.Database.Execute("INSERT OR IGNORE INTO log_head_age (log_id, clock, at, size) VALUES ($id, $clock, $at, $size)",
                key.LogId, (int)clock, at, size);
            state.Database.Execute("""
                DELETE FROM log_head_age WHERE log_id = $id AND clock = $clock AND at <
                    (SELECT max(at) FROM log_head_age WHERE log_id = $id AND clock = $clock AND at <= $old)
                """, key.LogId, (int)clock, at - 1 - (long)longest.TotalSeconds); // of ages one second is lost by rounding
        });
    }

    /// <summary>When a head was last kept; long ago when none was.</summary>
    private long Last(Clock clock)
    {
        long? last = null;
        Refused(DiskRefusal.Of(() => last = state.Database.First(
            "SELECT max(at) FROM log_head_age WHERE log_id = $id AND clock = $clock",
            row => row.IsNull(0) ? (long?)null : row.Number(0), key.LogId, (int)clock)));
        return last ?? -_step;
    }

    private void Refused(string? refusal)
    {
        if (refusal is not null)
        {
            logger.HeadAgeNotKept(key.LogId, refusal);
        }
    }

    /// <summary>Which clock an age is counted by; the values are on disk.</summary>
    private enum Clock
    {
        Watched,
        Witnesses,
        Wall,
    }
}
