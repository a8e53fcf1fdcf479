using TrustixProxy.IO.Metering;
using TrustixProxy.Testing;

namespace TrustixProxy.IO.Tests.Metering;

/// <summary>What was answered over time, and how long it took.</summary>
public sealed class AnswerHistoryTests
{
    [Fact]
    public void Answers_are_counted_by_half_hours_for_a_day()
    {
        var time = new ManualTime();
        var history = new AnswerHistory(time);
        history.Add("found", TimeSpan.FromMilliseconds(10));
        history.Add("found", null);
        time.Now += TimeSpan.FromMinutes(AnswerHistory.Minutes);
        history.Add("absent", TimeSpan.FromMilliseconds(20));

        var now = history.List();
        time.Now += TimeSpan.FromDays(1) - TimeSpan.FromMinutes(AnswerHistory.Minutes);
        var later = history.List();

        Assert.Equal(AnswerHistory.Spans, now.Count);
        Assert.Equal((2, 1), (now[^2].Counts["found"], now[^2].Took.Count));
        Assert.Equal((1, 1), (now[^1].Counts["absent"], now[^1].Took.Count));
        Assert.Equal(now[^1].From, now[^2].From + TimeSpan.FromMinutes(AnswerHistory.Minutes));
        Assert.Equal(1, later.Sum(span => span.Counts.Values.Sum()));
    }

    [Fact]
    public void What_an_earlier_process_counted_is_added_within_the_day_and_rows_that_say_nothing_are_left_out()
    {
        var time = new ManualTime();
        var (first, second) = (new AnswerHistory(time), new AnswerHistory(time));
        first.Add("found", TimeSpan.FromMilliseconds(10));
        second.Add("found", TimeSpan.FromMilliseconds(10));
        var rows = first.Newest();
        var span = rows[0].Span;

        second.Restore(rows);
        second.Restore([new(span + 1, "found", 1), new(span - AnswerHistory.Spans, "found", 1), new(span, "found", -1),
            new(span, "found", long.MaxValue), new(span, "~1000", 1)]);
        second.Restore(Enumerable.Range(0, 100).Select(i => new CountRow(span, $"word {i}", 1)));

        var now = second.List()[^1];
        Assert.Equal((2, 2, 32), (now.Counts["found"], now.Took.Count, now.Counts.Count));
        Assert.Equal(rows, first.Newest());
    }

    [Theory]
    [InlineData(0.00001)]
    [InlineData(0.0007)]
    [InlineData(0.012)]
    [InlineData(0.3)]
    [InlineData(9.5)]
    public void A_percentile_is_never_too_short_and_a_quarter_too_long_at_most(double seconds)
    {
        var timings = new Timings();
        timings.Add(TimeSpan.FromSeconds(seconds));

        var told = timings.Percentile(50)!.Value.TotalSeconds;

        Assert.InRange(told, seconds * 0.999, Math.Max(0.0001, seconds * 1.26));
    }

    [Fact]
    public void Percentiles_take_the_share_that_they_name_and_sums_are_of_all()
    {
        var (quick, slow) = (new Timings(), new Timings());
        for (var i = 0; i < 95; i++)
        {
            quick.Add(TimeSpan.FromMilliseconds(1));
        }

        for (var i = 0; i < 5; i++)
        {
            slow.Add(TimeSpan.FromSeconds(100));
        }

        var sum = Timings.Sum([quick, slow]);

        Assert.Equal(100, sum.Count);
        Assert.InRange(sum.Percentile(95)!.Value.TotalMilliseconds, 1, 1.26);
        Assert.InRange(sum.Percentile(96)!.Value.TotalSeconds, 20, 100);
        Assert.Null(new Timings().Percentile(50));
    }
}
