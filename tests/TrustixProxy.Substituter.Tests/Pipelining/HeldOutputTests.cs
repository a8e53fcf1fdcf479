using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Substituter.FrontDoor;
using TrustixProxy.Substituter.Pipelining;
using TrustixProxy.Testing;
using static TrustixProxy.Testing.Eventually;

namespace TrustixProxy.Substituter.Tests.Pipelining;

/// <summary>Answers from memory are sent together, and never wait for a decision or a limit.</summary>
public sealed class HeldOutputTests
{
    private const int Warm = 20;

    [Fact]
    public async Task Answers_from_memory_are_sent_with_the_next_one_up_to_16_KiB()
    {
        var line = await Line.OfAsync(count: 100, isWarm: _ => true);

        var sent = await line.AnswerAllAsync(bytes: 1000);

        // The first request was not seen ahead; then 17 answers are 17,000 bytes.
        Assert.Equal([1, .. Enumerable.Repeat(17, 5), 14], sent);
    }

    [Fact]
    public async Task Before_an_answer_that_has_to_be_decided_all_others_are_sent()
    {
        var line = await Line.OfAsync(count: 8, isWarm: place => place is not (4 or 5));

        var sent = await line.AnswerAllAsync(bytes: 100);

        Assert.Equal([1, 3, 1, 1, 2], sent);
    }

    [Fact]
    public async Task A_flush_waits_for_the_one_before_it()
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 10, resumeWriterThreshold: 5));
        var output = new HeldOutput(pipe.Writer) { IsHeld = true };
        await output.WriteAsync(new byte[20]);

        output.Release();
        var next = output.WriteAsync(new byte[1]);
        Assert.False(next.IsCompleted);
        pipe.Reader.AdvanceTo((await pipe.Reader.ReadAsync()).Buffer.End);

        await next;
        Assert.Equal(1, (await pipe.Reader.ReadAsync()).Buffer.Length);
    }

    /// <summary>Also when limits and a rate of bytes stand between the connection and the answer.</summary>
    [Theory]
    [InlineData(null, null)]
    [InlineData(1000, null)]
    [InlineData(null, 10_000_000)]
    public async Task A_client_has_every_answer_from_memory_while_the_next_is_decided(int? requests, int? bytes)
    {
        var outputs = Enumerable.Range(0, Warm).Select(i => TestOutput.Make($"package-{i}")).ToList();
        await using var proxy = await TestProxy.WithThreeLogsAsync();
        proxy.Change = options => options with
        {
            FrontDoor = options.FrontDoor with
            {
                EachClient = new LoadLimits(Concurrency: null, RequestsPerSecond: requests, BytesPerSecond: bytes),
                AllClients = new LoadLimits(),
            },
        };
        outputs.ForEach(output => proxy.Publish(output, "alice", "bob", "carol"));
        await proxy.StartAsync();
        await using var client = await PipelineClient.ConnectAsync(proxy);
        await client.WriteAsync(string.Concat(outputs.Select(output => Pipelines.Get(output.Path.Digest))));
        await client.ReadAsync(Warm);
        var held = new HeldUpstream(proxy.Upstream());

        await client.WriteAsync(
            string.Concat(outputs.Select(output => Pipelines.Get(output.Path.Digest))) + Pipelines.Get(Pipelines.RandomDigest()));
        var answers = await client.ReadAsync(Warm);
        await UntilAsync(() => held.Digests.Count is 1);
        held.LetGo();

        Assert.All(outputs.Zip(answers), pair => Assert.Contains($"{pair.First.Path}\n", pair.Second.Body, StringComparison.Ordinal));
        Assert.Equal(404, (await client.ReadAsync(1))[0].Status);
    }

    [Fact]
    public async Task What_was_kept_back_is_sent_before_a_request_queues()
    {
        var line = await Line.OfAsync(count: 3, isWarm: _ => true);
        var (other, end) = (Task.CompletedTask, new TaskCompletionSource());
        ClientGate? gate = null;
        await using var held = gate = new ClientGate(
            new FrontDoorOptions { EachClient = new LoadLimits(), AllClients = new LoadLimits(Concurrency: 1) }, line.Ahead,
            TimeProvider.System,
            async context =>
            {
                if (context.Request.Path == "/other")
                {
                    await end.Task;
                    return;
                }

                if (context.Request.Path == line.PathOf(1))
                {
                    other = gate!.AnswerAsync(new DefaultHttpContext { Request = { Path = "/other" } }); // it is the next in the queue
                }

                await line.Output.WriteAsync(new byte[100]);
            });
        await gate.AnswerAsync(await line.ArriveAsync(0));
        await gate.AnswerAsync(await line.ArriveAsync(1));
        Assert.Equal(100, line.Sent()); // the answer to the first alone

        var queued = gate.AnswerAsync(await line.ArriveAsync(2));
        Assert.Equal((false, 100L), (queued.IsCompleted, line.Sent()));

        end.SetResult();
        await Task.WhenAll(other, queued);
        Assert.Equal(100, line.Sent());
    }

    [Fact]
    public async Task Nothing_is_kept_back_where_a_rate_of_bytes_may_hold_an_answer_up()
    {
        var line = await Line.OfAsync(count: 3, isWarm: _ => true);
        await using var gate = new ClientGate(
            new FrontDoorOptions { EachClient = new LoadLimits(BytesPerSecond: 1 << 20), AllClients = new LoadLimits() }, line.Ahead,
            TimeProvider.System, async _ => await line.Output.WriteAsync(new byte[100]));

        for (var place = 0; place < 3; place++)
        {
            await gate.AnswerAsync(await line.ArriveAsync(place));
            Assert.Equal(100, line.Sent());
        }
    }

    /// <summary>A connection on which all requests wait; the test answers them in turn, as the server does.</summary>
    private sealed class Line
    {
        private readonly Pipe _requests = new(new PipeOptions(pauseWriterThreshold: 0));
        private readonly Pipe _answers = new(new PipeOptions(pauseWriterThreshold: 0));
        private readonly List<string> _digests;
        private readonly PipelinedConnection _connection;

        private Line(int count, Predicate<int> isWarm)
        {
            _digests = [.. Enumerable.Range(0, count).Select(_ => $"{Pipelines.RandomDigest()}")];
            Output = new HeldOutput(_answers.Writer);
            _connection = new PipelinedConnection(_requests.Reader, Output, CancellationToken.None);
            Ahead = new LookAhead((_, _) => Task.CompletedTask, digest => isWarm(_digests.IndexOf($"{digest}")), 1, TimeProvider.System,
                NullLogger.Instance);
        }

        public HeldOutput Output { get; }

        public LookAhead Ahead { get; }

        public static async Task<Line> OfAsync(int count, Predicate<int> isWarm)
        {
            var line = new Line(count, isWarm);
            var requests = string.Concat(line._digests.Select(digest => Pipelines.Get(digest)));
            await line._requests.Writer.WriteAsync(Encoding.ASCII.GetBytes(requests));
            return line;
        }

        public string PathOf(int place) => $"/{_digests[place]}.narinfo";

        /// <summary>The server reads a request, the next one.</summary>
        public async Task<HttpContext> ArriveAsync(int place)
        {
            var read = await _requests.Reader.ReadAsync();
            _requests.Reader.AdvanceTo(read.Buffer.GetPosition(Pipelines.Get(_digests[place]).Length));
            var context = new DefaultHttpContext { Request = { Method = "GET", Path = PathOf(place) } };
            context.Features.Set<IHttpRequestBodyDetectionFeature>(new NoBody());
            context.Features.Set(_connection);
            _connection.Arrive(context, TimeProvider.System);
            return context;
        }

        /// <summary>Bytes sent since the last call.</summary>
        public long Sent()
        {
            if (!_answers.Reader.TryRead(out var read))
            {
                return 0;
            }

            var length = read.Buffer.Length;
            _answers.Reader.AdvanceTo(read.Buffer.End);
            return length;
        }

        /// <summary>How many answers each write to the connection had.</summary>
        public async Task<List<long>> AnswerAllAsync(int bytes)
        {
            var sent = new List<long>();
            for (var place = 0; place < _digests.Count; place++)
            {
                await ArriveAsync(place);
                _connection.Admit(Ahead, Admission.Free, default);
                sent.Add(Sent() / bytes);
                await Output.WriteAsync(new byte[bytes]);
                sent.Add(Sent() / bytes);
            }

            return [.. sent.Where(count => count > 0)];
        }
    }

    private sealed class NoBody : IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody => false;
    }
}
