using Microsoft.Extensions.Logging;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Substituter.Hosting;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Operations;

/// <summary>What others can cause as often as they like is written at most once a minute, and counted.</summary>
public sealed class ForeignMessageTests : ILogger
{
    private readonly ManualTime _clock = new();
    private readonly List<string> _lines = [];
    private readonly ILogger _limited;

    public ForeignMessageTests() => _limited = ForeignMessages.Limit(this, _clock);

    [Fact]
    public void Equal_messages_are_written_once_a_minute_with_the_number_of_those_left_out()
    {
        for (var i = 0; i < 1000; i++)
        {
            _limited.NarRefused($"path-{i}", "main", NarFault.NarHash);
            _limited.NarRefused($"path-{i}", "spare", NarFault.NarHash);
            _limited.NarRefused($"path-{i}", "main", NarFault.TooLong);
        }

        Assert.Equal(3, _lines.Count);
        _clock.Now += TimeSpan.FromMinutes(1);
        _limited.NarRefused("late", "main", NarFault.NarHash);
        Assert.StartsWith("late: ", _lines[3], StringComparison.Ordinal);
        Assert.StartsWith("Left out 999 more messages", _lines[4], StringComparison.Ordinal);
    }

    [Fact]
    public void Texts_that_others_make_up_do_not_make_messages_differ()
    {
        for (var i = 0; i < 1000; i++)
        {
            _limited.GossipFailed(new Uri("http://peer.example/"), $"reason {i}");
            _limited.LateDissent($"path-{i}", "alice", $"sentence {i}");
        }

        Assert.Equal(2, _lines.Count);
    }

    [Fact]
    public void However_many_subjects_there_are_messages_stay_bounded()
    {
        for (var i = 0; i < 100_000; i++)
        {
            _limited.GossipFailed(new Uri($"http://peer-{i}.example/"), "no");
        }

        Assert.InRange(_lines.Count, 1, 1001);
    }

    [Fact]
    public void Messages_that_nobody_else_causes_all_pass()
    {
        for (var i = 0; i < 10; i++)
        {
            _limited.LogFrozen("alice", "two heads", "us", "file");
        }

        Assert.Equal(10, _lines.Count);
    }

    [Fact]
    public async Task An_upstream_that_sends_other_nars_again_and_again_costs_few_messages()
    {
        var outputs = Enumerable.Range(0, 20).Select(i => TestOutput.Make($"bad-{i}")).ToList();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        outputs.ForEach(output => proxy.Publish(output, "alice", "bob", "carol"));
        await proxy.StartAsync();
        proxy.Upstream().Lie = UpstreamLie.FlippedByte;
        foreach (var output in outputs)
        {
            await proxy.AskAsync((await proxy.NarInfoAsync(output)).Url);
        }

        Assert.InRange(proxy.Lines.Count(line => line.Contains(" 5001 ", StringComparison.Ordinal)), 1, 3);
    }

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    bool ILogger.IsEnabled(LogLevel logLevel) => true;

    void ILogger.Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Add(formatter(state, exception));
}
