using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using TrustixProxy.IO.Connecting;
using TrustixProxy.Testing;

namespace TrustixProxy.IO.Tests.Connecting;

/// <summary>Connecting to a host with several addresses (RFC 8305), on a clock that the test moves.</summary>
public sealed class HappyEyeballsTests
{
    private static readonly DnsEndPoint Target = new("cache.test", 80);

    private readonly SteppedTime _time = new();
    private readonly ConcurrentQueue<string> _dialled = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<Stream>> _dials = new();
    private string[] _answer = ["2001:db8::1", "192.0.2.1"];

    [Theory]
    [InlineData("1.0.0.1 1.0.0.2 2::1 2::2", "2::1 1.0.0.1 2::2 1.0.0.2")]
    [InlineData("1.0.0.1", "1.0.0.1")]
    [InlineData("2::1 2::2 2::3 1.0.0.1", "2::1 1.0.0.1 2::2 2::3")]
    [InlineData("2::1 2::1 1.0.0.1 1.0.0.1", "2::1 1.0.0.1")]
    public void Families_take_turns_and_IPv6_begins_whatever_the_order_of_the_answer(string answer, string expected) =>
        Assert.Equal(expected, string.Join(' ', HappyEyeballs.Order(Parse(answer), winner: null).AsEnumerable()));

    [Theory]
    [InlineData("2::1 2::2 1.0.0.1 1.0.0.2", "1.0.0.2", "1.0.0.2 2::1 1.0.0.1 2::2")]
    [InlineData("2::1 2::2 1.0.0.1", "1.0.0.9", "1.0.0.1 2::1 2::2")]
    [InlineData("2::1 2::2 1.0.0.1", "2::2", "2::2 1.0.0.1 2::1")]
    public void The_address_that_won_comes_first_and_one_of_its_family_where_it_is_gone(string answer, string winner, string expected) =>
        Assert.Equal(expected, string.Join(' ', HappyEyeballs.Order(Parse(answer), IPAddress.Parse(winner)).AsEnumerable()));

    [Fact]
    public async Task An_address_that_swallows_packets_costs_250_ms_and_the_attempt_at_it_is_cancelled()
    {
        var connecting = ConnectAsync(Connector());
        await DialledAsync("2001:db8::1");
        _time.Advance(HappyEyeballs.AttemptDelay - TimeSpan.FromTicks(1));
        Assert.Single(_dialled);
        _time.Advance(TimeSpan.FromTicks(1));
        await DialledAsync("192.0.2.1");
        using var won = new MemoryStream();
        _dials["192.0.2.1"].SetResult(won);

        Assert.Same(won, await connecting);
        Assert.True(_dials["2001:db8::1"].Task.IsCanceled);
        Assert.Equal(0, _time.Waiting);
    }

    [Fact]
    public async Task The_first_attempt_still_wins_while_the_second_runs_beside_it()
    {
        var connecting = ConnectAsync(Connector());
        await DialledAsync("2001:db8::1");
        _time.Advance(HappyEyeballs.AttemptDelay);
        await DialledAsync("192.0.2.1");
        using var won = new MemoryStream();
        _dials["2001:db8::1"].SetResult(won);

        Assert.Same(won, await connecting);
        Assert.True(_dials["192.0.2.1"].Task.IsCanceled);
    }

    [Fact]
    public async Task A_refusal_begins_the_next_attempt_at_once()
    {
        var connecting = ConnectAsync(Connector());
        Fail(await DialledAsync("2001:db8::1"), SocketError.ConnectionRefused);
        using var won = new MemoryStream();
        (await DialledAsync("192.0.2.1")).SetResult(won); // no time has passed

        Assert.Same(won, await connecting);
    }

    [Fact]
    public async Task A_connection_that_comes_too_late_is_closed()
    {
        using var late = new ClosingStream();
        var connector = new HappyEyeballs(_time, ResolveAsync, async (address, cancellation) =>
        {
            _dialled.Enqueue($"{address.Address}");
            if (address.AddressFamily is AddressFamily.InterNetwork)
            {
                return new MemoryStream();
            }

            using var ended = new SemaphoreSlim(0);
            await using var end = cancellation.Register(() => ended.Release());
            await ended.WaitAsync(CancellationToken.None);
            return late; // it connects in the very moment in which it is cancelled
        });
        var connecting = ConnectAsync(connector);
        await Eventually.UntilAsync(() => _dialled.Count is 1 && _time.Waiting is 2);
        _time.Advance(HappyEyeballs.AttemptDelay);
        await connecting;

        Assert.True(late.IsClosed);
    }

    [Theory]
    [InlineData(SocketError.NetworkUnreachable, SocketError.ConnectionRefused, SocketError.ConnectionRefused, "192.0.2.1:80")]
    [InlineData(SocketError.ConnectionRefused, SocketError.TimedOut, SocketError.ConnectionRefused, "[2001:db8::1]:80")]
    [InlineData(SocketError.NetworkUnreachable, SocketError.HostUnreachable, SocketError.NetworkUnreachable, "[2001:db8::1]:80")]
    public async Task When_all_fail_the_first_failure_that_says_something_of_the_peer_is_told_with_its_address(SocketError first,
        SocketError second, SocketError expected, string address)
    {
        var connecting = ConnectAsync(Connector());
        Fail(await DialledAsync("2001:db8::1"), first);
        Fail(await DialledAsync("192.0.2.1"), second);

        var failure = await Assert.ThrowsAsync<SocketException>(() => connecting);
        Assert.Equal(expected, failure.SocketErrorCode);
        Assert.Contains(address, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_winner_is_tried_first_for_ten_minutes()
    {
        var connector = Connector();
        var first = ConnectAsync(connector);
        Fail(await DialledAsync("2001:db8::1"), SocketError.ConnectionRefused);
        (await DialledAsync("192.0.2.1")).SetResult(Stream.Null);
        await first;

        _time.Advance(HappyEyeballs.WinnerLifetime - TimeSpan.FromTicks(1));
        Assert.Equal("192.0.2.1", await FirstDialAsync(connector));
        _time.Advance(HappyEyeballs.WinnerLifetime);
        Assert.Equal("2001:db8::1", await FirstDialAsync(connector));
    }

    [Fact]
    public async Task Of_an_answer_with_a_thousand_addresses_sixteen_are_tried()
    {
        _answer = [.. Enumerable.Range(0, 1000).Select(i => $"10.{i / 250}.0.{i % 250 + 1}")];
        var connector = new HappyEyeballs(_time, ResolveAsync, (address, _) =>
        {
            _dialled.Enqueue($"{address.Address}");
            throw new SocketException((int)SocketError.ConnectionRefused);
        });

        await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(connector));
        Assert.Equal(HappyEyeballs.MaxAddresses, _dialled.Count);
    }

    [Fact]
    public async Task Silence_of_all_addresses_ends_at_the_limit_and_is_told_as_a_time_out()
    {
        var connecting = ConnectAsync(Connector());
        await DialledAsync("2001:db8::1");
        _time.Advance(HappyEyeballs.AttemptDelay);
        await DialledAsync("192.0.2.1");
        _time.Advance(HappyEyeballs.Limit);

        var failure = await Assert.ThrowsAsync<SocketException>(() => connecting);
        Assert.Equal(SocketError.TimedOut, failure.SocketErrorCode);
        Assert.Contains("no answer from 2001:db8::1, 192.0.2.1 within 8 s", failure.Message, StringComparison.Ordinal);
        Assert.All(_dials.Values, dial => Assert.True(dial.Task.IsCanceled));
    }

    [Fact]
    public async Task A_resolver_that_hangs_ends_at_the_limit_and_is_told_as_one()
    {
        var never = new TaskCompletionSource<IPAddress[]>();
        var connecting = ConnectAsync(new HappyEyeballs(_time, (_, _) => never.Task));
        await Eventually.UntilAsync(() => _time.Waiting is 1);
        _time.Advance(HappyEyeballs.Limit);

        var failure = await Assert.ThrowsAsync<SocketException>(() => connecting);
        Assert.Equal(SocketError.TryAgain, failure.SocketErrorCode);
        Assert.Contains("the name cache.test was not resolved", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_gives_up_ends_all_attempts()
    {
        using var cancelling = new CancellationTokenSource();
        var connecting = Connector().ConnectAsync(Target, null, cancelling.Token).AsTask();
        await DialledAsync("2001:db8::1");
        await cancelling.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => connecting);
        Assert.True(_dials["2001:db8::1"].Task.IsCanceled);
    }

    [Fact]
    public async Task On_real_sockets_an_address_that_swallows_packets_is_passed_over()
    {
        using var works = new TcpListener(IPAddress.Loopback, 0);
        works.Start();
        var port = ((IPEndPoint)works.LocalEndpoint).Port;
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.2"), port));
        full.Listen(0);
        var fillers = await FillAsync(new IPEndPoint(IPAddress.Parse("127.0.0.2"), port)); // Linux drops what comes now
        var connector = new HappyEyeballs(TimeProvider.System,
            (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse("127.0.0.2"), IPAddress.Loopback]));

        await using var stream = await connector.ConnectAsync(new DnsEndPoint("cache.test", port), null, default);
        using var accepted = await works.AcceptSocketAsync();
        Assert.True(accepted.Connected);
        fillers.ForEach(filler => filler.Dispose());
    }

    private static IPAddress[] Parse(string addresses) => [.. addresses.Split(' ').Select(IPAddress.Parse)];

    /// <summary>Connects until a connection is no longer taken.</summary>
    private static async Task<List<Socket>> FillAsync(IPEndPoint address)
    {
        var fillers = new List<Socket>();
        for (var isTaken = true; isTaken && fillers.Count < 100;)
        {
            fillers.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            try
            {
                await fillers[^1].ConnectAsync(address, patience.Token);
            }
            catch (OperationCanceledException)
            {
                isTaken = false;
            }
        }

        return fillers;
    }

    private static void Fail(TaskCompletionSource<Stream> dial, SocketError error) => dial.SetException(new SocketException((int)error));

    private static async Task<Stream> ConnectAsync(HappyEyeballs connector) => await connector.ConnectAsync(Target, null, default);

    private async Task<string> FirstDialAsync(HappyEyeballs connector)
    {
        _dialled.Clear();
        _dials.Clear();
        var connecting = ConnectAsync(connector);
        await Eventually.UntilAsync(() => !_dials.IsEmpty);
        _dials.Values.Single().SetResult(Stream.Null);
        await connecting;
        return _dialled.Single();
    }

    /// <summary>Waits until an address is dialled, and until the clock is waited for: by the limit, and after the first of two by the
    /// delay before the second.</summary>
    private async Task<TaskCompletionSource<Stream>> DialledAsync(string address)
    {
        await Eventually.UntilAsync(() => _dials.ContainsKey(address) && _time.Waiting == (_dials.Count < _answer.Length ? 2 : 1));
        return _dials[address];
    }

    private HappyEyeballs Connector() => new(_time, ResolveAsync, async (address, cancellation) =>
    {
        var dial = new TaskCompletionSource<Stream>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var end = cancellation.Register(() => dial.TrySetCanceled(cancellation));
        _dialled.Enqueue($"{address.Address}");
        _dials[$"{address.Address}"] = dial;
        return await dial.Task;
    });

    private Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellation) =>
        Task.FromResult(Parse(string.Join(' ', _answer)));

    private sealed class ClosingStream : MemoryStream
    {
        public bool IsClosed { get; private set; }

        protected override void Dispose(bool disposing)
        {
            IsClosed = true;
            base.Dispose(disposing);
        }
    }
}
