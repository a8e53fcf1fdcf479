using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Fairness;
using TrustixProxy.Substituter.Pipelining;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Pipelining;

/// <summary>What is decided ahead is bounded per connection, per client and in all, in turn between clients and their connections, and
/// ends with its connection.</summary>
public sealed class TurnTests
{
    [Fact]
    public async Task Connections_take_turns()
    {
        var stage = new Stage();
        var ahead = stage.LookAhead(most: 10);
        await using var greedy = await Line.OfAsync(200);
        await using var modest = await Line.OfAsync(5);
        greedy.Begin(ahead);
        await UntilAsync(() => stage.Started.Count is 10);
        modest.Begin(ahead);

        stage.End(10);
        await UntilAsync(() => stage.Started.Count is 20);

        Assert.InRange(stage.Started.Skip(10).Count(digest => modest.Digests.Contains(digest)), 4, 5);
    }

    [Fact]
    public async Task Clients_take_turns_however_many_connections_each_has_and_none_has_all_the_places()
    {
        var stage = new Stage();
        var ahead = stage.LookAhead(most: 240);
        var greedy = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Line.OfAsync(100)));
        await using var modest = await Line.OfAsync(10);
        Array.ForEach(greedy, line => line.Begin(ahead, "greedy"));
        await UntilAsync(() => stage.Started.Count is 120);

        modest.Begin(ahead, "modest");
        await UntilAsync(() => stage.Started.Count is 130);

        Assert.Equal(modest.Digests.Order(), stage.Started.Skip(120).Order());
        Array.ForEach(greedy, line => line.CloseAsync());
    }

    [Fact]
    public async Task One_connection_has_no_more_than_its_share_and_the_next_follows_when_one_ends()
    {
        var stage = new Stage();
        var ahead = stage.LookAhead(most: 256);
        await using var line = await Line.OfAsync(300);

        line.Begin(ahead);
        await UntilAsync(() => stage.Started.Count is PipelinedConnection.MostAtOnce);
        stage.End(7);
        await UntilAsync(() => stage.Started.Count is PipelinedConnection.MostAtOnce + 7);

        Assert.Equal(line.Digests.Take(stage.Started.Count).Order(), stage.Started.Order());
    }

    [Fact]
    public async Task Nothing_more_starts_once_the_connection_has_ended_and_what_was_taken_is_returned()
    {
        var stage = new Stage();
        var ahead = stage.LookAhead(most: 10);
        await using var line = await Line.OfAsync(50);
        line.Begin(ahead);
        await UntilAsync(() => stage.Started.Count is 10);

        await line.CloseAsync();
        await UntilAsync(() => line.Returned is 10);
        await using var other = await Line.OfAsync(10);
        other.Begin(ahead);
        await UntilAsync(() => stage.Started.Count is 20);

        Assert.Equal(other.Digests.Order(), stage.Started.Skip(10).Order());
        Assert.Equal(10, line.Charged);
    }

    [Fact]
    public async Task What_a_client_cannot_pay_for_is_left_to_its_request()
    {
        var stage = new Stage();
        await using var line = await Line.OfAsync(50);
        line.Credit = 3;

        line.Begin(stage.LookAhead(most: 10));
        await UntilAsync(() => stage.Started.Count is 3);
        stage.End(3);
        await UntilAsync(() => line.Returned is 3);

        Assert.Equal(line.Digests.Take(3).Order(), stage.Started.Order());
    }

    [Fact]
    public async Task A_request_that_was_charged_ahead_is_not_charged_again_unless_it_comes_late()
    {
        var (stage, clock) = (new Stage(), new TrustixProxy.Testing.SteppedTime());
        await using var line = await Line.OfAsync(3, clock);
        line.Credit = 2;
        line.Begin(stage.LookAhead(most: 10, clock));
        await UntilAsync(() => stage.Started.Count is 2);
        stage.End(2);
        await UntilAsync(() => line.Returned is 2);

        var first = await line.ArriveAsync();
        clock.Advance(TimeSpan.FromSeconds(3));

        Assert.Equal((true, false, false), (first, await line.ArriveAsync(), await line.ArriveAsync()));
    }

    [Fact]
    public async Task A_configuration_that_was_replaced_starts_nothing_more()
    {
        var stage = new Stage();
        var ahead = stage.LookAhead(most: 10);
        await using var line = await Line.OfAsync(50);
        line.Begin(ahead);
        await UntilAsync(() => stage.Started.Count is 10);

        ahead.Retire();
        stage.End(10);
        await UntilAsync(() => line.Returned is 10);

        Assert.Equal(10, stage.Started.Count);
    }

    [Fact]
    public async Task Connections_of_HTTP2_are_left_alone()
    {
        var (plain, http2) = (new DefaultConnectionContext(), new DefaultConnectionContext());
        plain.Transport = http2.Transport = new DuplexPipe(new Pipe());
        http2.Features.Set<ITlsApplicationProtocolFeature>(new Protocol("h2"));

        await PipelinedConnection.ServeAsync(plain, _ => Task.CompletedTask);
        await PipelinedConnection.ServeAsync(http2, _ => Task.CompletedTask);

        Assert.Equal((true, false), (plain.Features.Get<PipelinedConnection>() is not null,
            http2.Features.Get<PipelinedConnection>() is not null));
    }

    /// <summary>Decisions that end when the test says so.</summary>
    private sealed class Stage
    {
        private readonly ConcurrentQueue<TaskCompletionSource> _underway = new();

        public ConcurrentQueue<string> Started { get; } = new();

        public LookAhead LookAhead(int most, TimeProvider? time = null) =>
            new(DecideAsync, _ => false, most, time ?? TimeProvider.System, NullLogger.Instance);

        public void End(int count)
        {
            for (; count > 0 && _underway.TryDequeue(out var decision); count--)
            {
                decision.TrySetResult();
            }
        }

        private async Task DecideAsync(StorePathDigest digest, CancellationToken cancellation)
        {
            var decision = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _underway.Enqueue(decision);
            Started.Enqueue($"{digest}");
            await decision.Task.WaitAsync(cancellation);
        }
    }

    /// <summary>A connection on which one request has arrived, and others wait.</summary>
    private sealed class Line : IAsyncDisposable
    {
        private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0));
        private readonly CancellationTokenSource _end = new();
        private readonly PipelinedConnection _connection;
        private readonly TimeProvider _time;
        private int _charged, _returned;

        private Line(TimeProvider time) =>
            (_connection, _time) = (new PipelinedConnection(_pipe.Reader, new HeldOutput(new Pipe().Writer), _end.Token), time);

        /// <summary>How many requests can be paid for.</summary>
        public int Credit { get; set; } = int.MaxValue;

        public int Charged => Volatile.Read(ref _charged);

        public int Returned => Volatile.Read(ref _returned);

        public List<string> Digests { get; } = [];

        public static async Task<Line> OfAsync(int waiting, TimeProvider? time = null)
        {
            var line = new Line(time ?? TimeProvider.System);
            line.Digests.AddRange(Enumerable.Range(0, waiting).Select(_ => $"{Pipelines.RandomDigest()}"));
            var requests = string.Concat(line.Digests.Select(digest => Pipelines.Get(digest)));
            await line._pipe.Writer.WriteAsync(Encoding.ASCII.GetBytes(requests));
            return line;
        }

        /// <summary>The first request arrives and passes.</summary>
        public void Begin(LookAhead ahead, string client = "a client")
        {
            _connection.Arrive(Context("/first"), _time);
            _connection.Admit(ahead, Charge, new Requester(client, default));
        }

        /// <summary>The server reads the next request.</summary>
        /// <returns>Whether it was charged ahead.</returns>
        public async Task<bool> ArriveAsync()
        {
            var read = await _pipe.Reader.ReadAsync();
            var digest = Digests[0];
            Digests.RemoveAt(0);
            _pipe.Reader.AdvanceTo(read.Buffer.GetPosition(Pipelines.Get(digest).Length));
            _connection.Arrive(Context($"/{digest}.narinfo"), _time);
            return _connection.IsCharged;
        }

        public Task CloseAsync() => _end.CancelAsync();

        public async ValueTask DisposeAsync()
        {
            await _end.CancelAsync();
            _end.Dispose();
        }

        private static DefaultHttpContext Context(string path)
        {
            var context = new DefaultHttpContext();
            (context.Request.Method, context.Request.Path) = ("GET", path);
            context.Features.Set<IHttpRequestBodyDetectionFeature>(new NoBody());
            return context;
        }

        private Returning? Charge(Requester client) =>
            Interlocked.Increment(ref _charged) <= Credit ? new Returning(() => Interlocked.Increment(ref _returned)) : null;
    }

    private sealed class Returning(Action action) : IDisposable
    {
        public void Dispose() => action();
    }

    private sealed class NoBody : IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody => false;
    }

    private sealed class Protocol(string name) : ITlsApplicationProtocolFeature
    {
        public ReadOnlyMemory<byte> ApplicationProtocol { get; } = Encoding.ASCII.GetBytes(name);
    }

    private sealed class DuplexPipe(Pipe pipe) : IDuplexPipe
    {
        public PipeReader Input => pipe.Reader;

        public PipeWriter Output => pipe.Writer;
    }
}
