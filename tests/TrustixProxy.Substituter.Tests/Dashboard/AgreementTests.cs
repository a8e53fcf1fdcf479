using System.Net;
using System.Text;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Dashboard;

/// <summary>How often electors agree, over time, and who says what since when.</summary>
public sealed class AgreementTests
{
    [Fact]
    public async Task The_page_says_who_says_what_since_when_names_the_command_that_compares_and_draws_each_pair()
    {
        var (agreed, split) = (TestOutput.Make("agreed"), TestOutput.Make("split"));
        var forged = split.Forge();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Publish(agreed, "alice", "bob");
        proxy.Publish(split, "alice");
        proxy.Log("bob").Publish(forged.Statement);
        await proxy.StartAsync();
        await proxy.AskAsync(agreed.Path);
        Assert.Equal("conflict", (await proxy.AskAsync(split.Path)).Decision);

        var page = await TextAsync(proxy, "/conflicts");
        var path = await TextAsync(proxy, $"/path/{split.Path.Digest}");

        Assert.Contains($"<code>trustix-proxy diff {split.Path.Absolute}</code>", page, StringComparison.Ordinal);
        Assert.Contains($"<code>trustix-proxy diff {split.Path.Absolute}</code>", path, StringComparison.Ordinal);
        Assert.Matches($"<li>alice since <time [^<]+</time>: <code>{split.Statement.NarHash}</code></li>", page);
        Assert.Matches($"<li>bob since <time [^<]+</time>: <code>{forged.Statement.NarHash}</code></li>", page);
        Assert.Contains("alice and bob: <span class=\"badge warn\">1 of 2 (50 %)</span>", page, StringComparison.Ordinal);
        Assert.Matches("aria-label=\"alice and bob agreed about 1 of 2 paths in the last week\">\\s+<rect [^>]+ class=\"warn\"/>", page);
        Assert.Matches("<td><time [^<]+</time></td><td>alice, bob</td><td>1 of 2 \\(50 %\\)</td>", page);
    }

    [Fact]
    public async Task Rates_outlive_a_restart_and_go_on()
    {
        var (first, second) = (TestOutput.Make("first"), TestOutput.Make("second"));
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        await proxy.Publish(first, "alice", "bob").Publish(second, "alice", "bob").StartAsync();
        await proxy.AskAsync(first.Path);
        using (var state = new StateWriter(proxy.StateDirectory))
        {
            var store = new AgreementStore(state);
            await Eventually.UntilAsync(() => store.Read().Any(row => row.Rate == new AgreementRate(1, 1)));
        }

        await proxy.StopAsync();
        await proxy.StartAsync();
        await Eventually.UntilAsync(async () => (await TextAsync(proxy, "/conflicts"))
            .Contains("alice and bob agreed about 1 of 1 paths in the last week", StringComparison.Ordinal));
        await proxy.AskAsync(first.Path); // heard again, and no news
        await proxy.AskAsync(second.Path);

        await Eventually.UntilAsync(async () => (await TextAsync(proxy, "/conflicts"))
            .Contains("alice and bob agreed about 2 of 2 paths in the last week", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_an_earlier_process_counted_is_added_within_the_week_and_rows_that_are_no_rates_are_left_out()
    {
        using var folder = new TestFolder();
        using var state = new StateWriter(folder.Path);
        var (time, store, pair) = (new ManualTime(), new AgreementStore(state), new ElectorPair("alice", "bob"));
        var history = new AgreementHistory(time);
        var now = history.Oldest + AgreementHistory.Spans - 1;
        store.Write([new(now, pair, new(9, 9)), new(now - 1, pair, new(1, 2)), new(now - 2, pair, new(3, 2)),
            new(now - 3, pair, new(0, 0))], [new(1, now), new(2, now - AgreementHistory.Spans)], history.Oldest);
        store.Write([new(now, pair, new(1, 1)), new(now - AgreementHistory.Spans, pair, new(5, 5))], [], history.Oldest);
        await state.Write(() => { }, isDue: false);

        history.Restore(store.Read(), store.ReadCounted());
        history.Restore([new(now + 1, pair, new(7, 7))], []);

        Assert.Equal([new CountedPair(1, now)], store.ReadCounted());
        Assert.Equal([new AgreementRow(now - 1, pair, new(1, 2)), new AgreementRow(now, pair, new(1, 1))],
            history.Newest().OrderBy(row => row.Span));
        Assert.Equal(2, history.List().Sum(span => span.Rates.Count));
    }

    [Fact]
    public void Each_pair_of_claims_counts_once_in_the_span_in_which_it_became_known()
    {
        var time = new ManualTime();
        var history = new AgreementHistory(time);
        var claim = TestOutput.Make("a");
        var (same, other) = (Known(claim), Known(claim.Forge()));
        var (none, alice) = (JournalEntry.None, JournalEntry.None.Add("alice", same));
        var both = alice.Add("bob", same);

        history.Compare(alice, none);
        history.Compare(both, alice);
        history.Compare(both, both);
        time.Now = time.Now.AddHours(AgreementHistory.Hours);
        history.Compare(both.SetItem("bob", other), both);
        history.Compare(both.Add("carol", same), both);
        var now = history.List();
        time.Now = time.Now.AddHours(AgreementHistory.Hours * (AgreementHistory.Spans - 1));
        var later = history.List();

        Assert.Equal(AgreementHistory.Spans, now.Count);
        Assert.Equal([(new ElectorPair("alice", "bob"), new AgreementRate(1, 1))], now[^2].Rates.Select(rate => (rate.Key, rate.Value)));
        Assert.Equal((new AgreementRate(0, 1), new AgreementRate(1, 1), new AgreementRate(1, 1)), (
            now[^1].Rates[new("alice", "bob")], now[^1].Rates[new("alice", "carol")], now[^1].Rates[new("bob", "carol")]));
        Assert.Equal(3, later[0].Rates.Count);
        Assert.All(later.Skip(1), span => Assert.Empty(span.Rates));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_an_earlier_process_counted_is_not_counted_again_also_when_it_is_heard_before_that_is_read(bool isEarly)
    {
        using var folder = new TestFolder();
        using var state = new StateWriter(folder.Path);
        var (time, store, claim) = (new ManualTime(), new AgreementStore(state), TestOutput.Make("a"));
        var both = JournalEntry.None.Add("alice", Known(claim)).Add("bob", Known(claim.Forge()));
        var first = new AgreementHistory(time);
        first.Restore(store.Read(), store.ReadCounted());
        first.Compare(both, JournalEntry.None);
        first.Compare(both, JournalEntry.None); // the journal has forgotten the path meanwhile
        store.Write(first.Newest(), first.TakeCounted(), first.Oldest);
        await state.Write(() => { }, isDue: false);
        time.Now = time.Now.AddHours(AgreementHistory.Hours);

        var second = new AgreementHistory(time);
        if (isEarly)
        {
            second.Compare(both, JournalEntry.None);
        }

        second.Restore(store.Read(), store.ReadCounted());
        second.Compare(both, JournalEntry.None);
        second.Compare(both.Add("carol", Known(claim)), both);

        var rates = second.List().SelectMany(span => span.Rates.OrderBy(rate => rate.Key.One).ThenBy(rate => rate.Key.Other));
        Assert.Equal([new AgreementRate(0, 1), new AgreementRate(1, 1), new AgreementRate(0, 1)], rates.Select(rate => rate.Value));
        Assert.Equal(2, second.TakeCounted().Count);
        time.Now = time.Now.AddHours(AgreementHistory.Hours * AgreementHistory.Spans);
        second.Compare(both, JournalEntry.None);
        Assert.Equal(new AgreementRate(0, 1), second.List()[^1].Rates.Values.Single());
    }

    [Fact]
    public void The_history_is_bounded()
    {
        var history = new AgreementHistory(new ManualTime());
        var claim = Known(TestOutput.Make("a"));

        history.Compare(JournalEntry.None.AddRange(Enumerable.Range(0, 50).Select(i => KeyValuePair.Create($"elector-{i}", claim))),
            JournalEntry.None);

        Assert.Equal(500, history.List()[^1].Rates.Count);
    }

    private static KnownClaim Known(TestOutput output) =>
        OutputClaim.TryReadFingerprint(Encoding.ASCII.GetBytes(output.NarInfo().Fingerprint), output.Path, out var claim, out _)
            ? new KnownClaim(claim, default) : throw new ArgumentException(output.Path.Absolute);

    private static async Task<string> TextAsync(TestProxy proxy, string path)
    {
        using var answer = await proxy.Client.GetAsync(new Uri(proxy.OperationsUrl, path));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadAsStringAsync();
    }
}
