using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.IO.Storage;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Tests.Evidence;

/// <summary>For how long a log has held an entry, as a proxy knows it that keeps one head an hour.</summary>
public sealed class HeadAgeTests : IDisposable
{
    private static readonly LogKey Key = new LogSigner(new byte[32]).Key;

    private static readonly TimeSpan Hour = TimeSpan.FromHours(1), Day = TimeSpan.FromDays(1), Year = TimeSpan.FromDays(365);

    private readonly TestFolder _folder = new();

    private readonly TwoClocks _clocks = new();

    private StateWriter _state;

    private WatchedTime _watched;

    private HeadAges _ages;

    public HeadAgeTests() => (_state, _watched, _ages) = Open();

    public void Dispose()
    {
        _state.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task An_entry_is_as_old_as_the_first_kept_head_that_has_it()
    {
        await NoteAsync(10);
        await PassAsync(2 * Hour);
        await NoteAsync(14);
        await PassAsync(3 * Hour);

        Assert.Equal(5 * Hour, _ages.AgeOf(9, null));
        Assert.Equal(3 * Hour, _ages.AgeOf(10, null));
        Assert.Equal(3 * Hour, _ages.AgeOf(13, null));
        Assert.Equal(TimeSpan.Zero, _ages.AgeOf(14, null));
    }

    [Fact]
    public async Task An_age_in_whole_seconds_is_never_more_than_the_time_that_passed()
    {
        await PassAsync(TimeSpan.FromSeconds(1.9));
        await NoteAsync(10);
        await PassAsync(TimeSpan.FromSeconds(3.1));
        Assert.Equal(TimeSpan.FromSeconds(3), _ages.AgeOf(9, null));

        await PassAsync(TimeSpan.FromSeconds(0.9));
        Assert.Equal(TimeSpan.FromSeconds(3), _ages.AgeOf(9, null));
    }

    [Fact]
    public async Task One_head_an_hour_is_kept_and_none_that_is_older_than_asked_for()
    {
        for (var minute = 0; minute < 3 * 24 * 60; minute += 10)
        {
            await NoteAsync(minute + 1);
            await PassAsync(TimeSpan.FromMinutes(10));
        }

        var rows = _state.Database.First("SELECT count(*) FROM log_head_age", row => row.Number(0));
        Assert.InRange(rows, 24, 26);
        Assert.InRange(_ages.AgeOf(0, null), Day, Day + (2 * Hour));
    }

    [Fact]
    public async Task A_clock_that_is_set_adds_nothing()
    {
        await NoteAsync(10);
        _clocks.Wall += Year;
        Assert.Equal(TimeSpan.Zero, _ages.AgeOf(9, null));

        _clocks.Wall -= 2 * Year;
        Assert.Equal(TimeSpan.Zero, _ages.AgeOf(9, null));
        await PassAsync(Hour);
        Assert.Equal(Hour, _ages.AgeOf(9, null));

        _clocks.Monotonic += Day; // the wall clock stood still
        Assert.Equal(Hour, _ages.AgeOf(9, null));
    }

    [Fact]
    public async Task Time_without_a_process_and_time_that_a_crash_lost_is_not_counted()
    {
        await NoteAsync(10);
        await PassAsync(Hour);
        _clocks.Wall += TimeSpan.FromSeconds(59); // after the last write
        _clocks.Monotonic += TimeSpan.FromSeconds(59);
        Assert.Equal(Hour + TimeSpan.FromSeconds(59), _ages.AgeOf(9, null));

        await RestartAsync(Year, viewSize: 10);

        Assert.Equal(Hour, _ages.AgeOf(9, null));
        await PassAsync(Hour);
        Assert.Equal(2 * Hour, _ages.AgeOf(9, null));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(9)]
    public async Task A_view_that_was_lost_or_went_back_makes_the_heads_beyond_it_new(long viewSize)
    {
        await NoteAsync(10);
        await PassAsync(Hour);

        await RestartAsync(TimeSpan.Zero, viewSize);

        Assert.Equal(TimeSpan.Zero, _ages.AgeOf(9, null));
    }

    [Fact]
    public async Task Witnessed_heads_count_by_their_cosignatures_alone()
    {
        var at = DateTimeOffset.UnixEpoch + Year;
        _ages.Note(10, at);
        await WrittenAsync();
        await PassAsync(Day);

        Assert.Equal(Hour, _ages.AgeOf(9, at + Hour));
        Assert.Equal(TimeSpan.Zero, _ages.AgeOf(9, at - Hour));
        Assert.Equal(TimeSpan.Zero, _ages.AgeOf(9, null));
        Assert.Equal(TimeSpan.Zero, _ages.AgeOf(10, at + Hour));
    }

    [Fact]
    public async Task An_unfrozen_log_begins_anew()
    {
        await NoteAsync(10);
        await PassAsync(Hour);

        new LogRecords(_state).ForgetHistory(Key);

        Assert.Equal(TimeSpan.Zero, _ages.AgeOf(9, null));
    }

    private (StateWriter State, WatchedTime Watched, HeadAges Ages) Open()
    {
        var state = new StateWriter(_folder.Path, TimeProvider.System, NullLogger.Instance);
        _ = new LogRecords(state);
        var watched = new WatchedTime(state, _clocks);
        return (state, watched, new HeadAges(Key, state, watched, Day, NullLogger.Instance));
    }

    private async Task RestartAsync(TimeSpan pause, long viewSize)
    {
        await WrittenAsync();
        _state.Dispose();
        (_clocks.Wall, _clocks.Monotonic) = (_clocks.Wall + pause, TimeSpan.Zero);
        (_state, _watched, _ages) = Open();
        _ages.Begin(viewSize);
    }

    private async Task NoteAsync(long size)
    {
        _ages.Note(size, null);
        await WrittenAsync();
    }

    /// <summary>Both clocks go on, and the count is written.</summary>
    private async Task PassAsync(TimeSpan time)
    {
        (_clocks.Wall, _clocks.Monotonic) = (_clocks.Wall + time, _clocks.Monotonic + time);
        _ = _watched.Total;
        await WrittenAsync();
    }

    private Task WrittenAsync() => _state.Write(() => { }, isDue: false);

    private sealed class TwoClocks : TimeProvider
    {
        public DateTimeOffset Wall { get; set; } = DateTimeOffset.UnixEpoch;

        public TimeSpan Monotonic { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => Wall;

        public override long GetTimestamp() => Monotonic.Ticks;
    }
}
