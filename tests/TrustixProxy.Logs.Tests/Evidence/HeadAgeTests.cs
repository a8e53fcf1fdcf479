using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.IO.Storage;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Testing;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Logs.Tests.Evidence;

/// <summary>For how long a log has held an entry, as a proxy knows it that keeps one head an hour.</summary>
public sealed class HeadAgeTests : IDisposable
{
    private static readonly LogKey Key = new LogSigner(new byte[32]).Key;

    private static readonly TimeSpan Hour = TimeSpan.FromHours(1), Day = TimeSpan.FromDays(1), Year = TimeSpan.FromDays(365);

    /// <summary>Two of three witnesses.</summary>
    private static readonly WitnessGroup Quorum = new("q", 2, [.. Enumerable.Range(0, 3).Select(i =>
        new PolicyWitness($"w{i}", VerifierKey.OfLog($"w{i}", Key), null))], []);

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
    public async Task Witnessed_heads_count_by_their_cosignatures()
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
    public async Task Witnessed_time_goes_on_while_no_process_runs()
    {
        _ages.Note(10, DateTimeOffset.UnixEpoch);
        await RestartAsync(Day, viewSize: 10);

        Assert.Equal(Hour, _ages.AgeOf(9, DateTimeOffset.UnixEpoch + Hour));
        Assert.Equal(Day, _ages.AgeOf(9, DateTimeOffset.UnixEpoch + Year));
    }

    [Fact]
    public async Task Heads_that_a_clock_set_back_puts_into_the_future_are_forgotten_and_ages_grow_again()
    {
        _clocks.Wall += Year;
        _ages.Note(10, DateTimeOffset.UnixEpoch + Year); // also a witness's clock was ahead
        await WrittenAsync();
        _clocks.Wall -= Year;
        _ages.Note(10, DateTimeOffset.UnixEpoch);
        await WrittenAsync();
        await PassAsync(Hour);

        Assert.Equal(Hour, _ages.AgeOf(9, DateTimeOffset.UnixEpoch + Hour));
    }

    /// <summary>As long as this machine's clock is right, or no quorum can be met without a witness whose clock is right.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Neither_the_witnesses_clocks_nor_this_machines_alone_make_an_entry_older_than_it_is(bool isMachineRight)
    {
        for (var seed = 0; seed < 12; seed++)
        {
            using var run = new HeadAgeTests();
            await run.AssertNeverOlderAsync(new Random(seed), isMachineRight);
        }
    }

    private async Task AssertNeverOlderAsync(Random random, bool isMachineRight)
    {
        var (truth, sizes) = (TimeSpan.Zero, new List<(long Size, TimeSpan At)>());
        for (var step = 0; step < 12; step++)
        {
            truth += TimeSpan.FromMinutes(random.Next(1, 300));
            _clocks.Wall = DateTimeOffset.UnixEpoch + truth + (isMachineRight ? TimeSpan.Zero : Wrong(random));
            var times = Enumerable.Range(0, 3).ToDictionary(i => $"w{i}", i => DateTimeOffset.UnixEpoch + truth
                + (i < 2 && !isMachineRight ? TimeSpan.Zero : Wrong(random)));
            sizes.Add((step + 1, truth));
            _ages.Note(step + 1, times.Values.Max());
            await WrittenAsync();

            var now = Quorum.ReachedBy(times);
            Assert.All(sizes, head => Assert.InRange(_ages.AgeOf(head.Size - 1, now), TimeSpan.Zero, truth - head.At));
        }
    }

    private static TimeSpan Wrong(Random random) => random.Next(3) switch
    {
        0 => TimeSpan.Zero,
        1 => TimeSpan.FromMinutes(random.Next(-10, 10)),
        _ => TimeSpan.FromDays(random.Next(-400, 400)),
    };

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
