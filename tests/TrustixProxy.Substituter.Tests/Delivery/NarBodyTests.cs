using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Streams;
using TrustixProxy.Nars;
using TrustixProxy.Nars.Delivery;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Substitution;
using TrustixProxy.Testing;

namespace TrustixProxy.Substituter.Tests.Delivery;

/// <summary>The bytes of one upstream's file on their way to several readers: how far they may leave, and what is held meanwhile.</summary>
public sealed class NarBodyTests : IDisposable
{
    private const int Large = 20_000_000;

    private readonly string _directory = Directory.CreateTempSubdirectory("trustix-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("none")]
    [InlineData("zstd")]
    [InlineData("bzip2")]
    public async Task A_lone_slow_reader_without_a_spool_makes_the_producer_wait_after_two_mebibytes(string compression)
    {
        var output = TestOutput.Make(size: Large);
        var file = output.File(compression);
        using var source = new MemoryStream(file);
        await using var run = Run.Begin(output, compression, source, new SpoolSpace(_directory, most: 0));
        await using var reader = run.Read();

        var (buffer, got, ahead) = (new byte[50_000], new MemoryStream(), 0L);
        while (await reader.ReadAsync(buffer) is var read and > 0)
        {
            got.Write(buffer, 0, read);
            ahead = Math.Max(ahead, source.Position - got.Length);
        }

        Assert.Equal(file, got.ToArray());
        Assert.InRange(ahead, 1, 2 << 20);
    }

    [Fact]
    public async Task A_slow_reader_slows_no_other_and_goes_on_from_the_spool()
    {
        var output = TestOutput.Make(size: Large);
        using var source = new MemoryStream(output.Nar);
        var space = new SpoolSpace(_directory, most: 100 << 20);
        await using var run = Run.Begin(output, "none", source, space);
        await using var slow = run.Read();
        await using var fast = run.Read();
        var first = new byte[1000];
        await slow.ReadExactlyAsync(first);

        Assert.Equal(output.Nar, await AllAsync(fast));

        Assert.InRange(space.Used, 15_000_000, Large);
        Assert.Equal(output.Nar, (byte[])[.. first, .. await AllAsync(slow)]);
        Assert.Empty(Directory.GetFileSystemEntries(_directory)); // the spool has no name
    }

    [Theory]
    [InlineData("none", 0, 999)]
    [InlineData("none", 5_000_000, 5_400_000)]
    [InlineData("zstd", 1_000_000, 1_000_000)]
    public async Task A_bounded_range_that_waits_for_its_verdict_keeps_its_end_itself_where_there_is_no_spool(
        string compression, int from, int to)
    {
        var output = TestOutput.Make(size: Large);
        using var source = new MemoryStream(output.File(compression));
        await using var run = Run.Begin(output, compression, source, new SpoolSpace(_directory, most: 0));
        await using var reader = run.Read($"bytes={from}-{to}");

        Assert.Equal(output.File(compression)[from..(to + 1)], await AllAsync(reader));
    }

    [Theory]
    [InlineData("none")]
    [InlineData("xz")]
    [InlineData("zstd")]
    [InlineData("bzip2")]
    [InlineData("br")]
    [InlineData("gzip")]
    public async Task Before_the_verdict_the_last_buffer_of_decoded_bytes_stays_and_all_before_it_leaves(string compression)
    {
        var output = TestOutput.Make(size: 4_000_000);
        var file = output.File(compression);
        using var source = new StallingStream(file);
        await using var run = Run.Begin(output, compression, source, new SpoolSpace(_directory, most: 0));
        await using var reader = run.Read();
        var reading = AllAsync(reader);

        await source.Emptied;
        await Eventually.UntilAsync(() => reader.Offset >= (compression is "none" ? file.Length - ReleaseBound.Buffer : file.Length / 2));
        await Task.Delay(100); // more would leave now, if anything would

        Assert.False(reading.IsCompleted);
        Assert.InRange(DecodedOf(compression, file[..(int)reader.Offset]), 1, output.Nar.Length - ReleaseBound.Buffer);
        source.End();
        Assert.Equal(file, await reading);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("zstd")]
    [InlineData("xz")]
    public async Task Nothing_of_a_nar_that_fits_into_the_buffer_leaves_before_its_verdict(string compression)
    {
        var (output, other) = (TestOutput.Make(size: 9_000), TestOutput.Make(size: 1_000_000));
        using var source = new MemoryStream(other.File(compression)); // another NAR under its name
        await using var run = Run.Begin(output, compression, source, new SpoolSpace(_directory, most: 0), length: null);
        await using var reader = run.Read();

        await Assert.ThrowsAsync<NarRefusedException>(() => AllAsync(reader));
        Assert.Equal(0, reader.Offset);
    }

    /// <summary>The least frame there is in each format: it holds nothing.</summary>
    public static TheoryData<string, string> EmptyStreams() => new()
    {
        { "xz", "fd377a585a000004e6d6b446000000001cdf44211fb6f37d010000000004595a" },
        { "zstd", "28b52ffd2000010000" },
    };

    [Theory]
    [MemberData(nameof(EmptyStreams))]
    public async Task Padding_with_empty_streams_gains_an_upstream_nothing(string compression, string empty)
    {
        var (output, other) = (TestOutput.Make(size: 1_000_000), TestOutput.Make(size: 2_000_000));
        var padding = Enumerable.Repeat(Convert.FromHexString(empty), 10_000).SelectMany(bytes => bytes).ToArray();
        var file = other.File(compression);
        using var source = new MemoryStream([.. file, .. padding]);
        await using var run = Run.Begin(output, compression, source, new SpoolSpace(_directory, most: 0), length: null);
        await using var reader = run.Read();

        await Assert.ThrowsAsync<NarRefusedException>(() => AllAsync(reader));
        Assert.InRange(
            DecodedOf(compression, file[..(int)Math.Min(file.Length, reader.Offset)]), 0, other.Nar.Length - ReleaseBound.Buffer);
    }

    private static long DecodedOf(string compression, byte[] beginning)
    {
        using var decoded = NarCompression.Open(compression, new MemoryStream(beginning));
        var (buffer, count) = (new byte[64 << 10], 0L);
        try
        {
            while (decoded.ReadAsync(buffer).AsTask().GetAwaiter().GetResult() is var read and > 0)
            {
                count += read;
            }
        }
        catch (InvalidDataException)
        {
            // It ends in the middle.
        }

        return count;
    }

    private static async Task<byte[]> AllAsync(Stream stream)
    {
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy, 50_000);
        return copy.ToArray();
    }

    /// <summary>Gives a file at once, and its end when it is told to.</summary>
    private sealed class StallingStream(byte[] file) : ReadOnlyStream
    {
        private readonly TaskCompletionSource _end = new(), _emptied = new();
        private readonly MemoryStream _file = new(file);

        public Task Emptied => _emptied.Task;

        public void End() => _end.SetResult();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await _file.ReadAsync(buffer, cancellationToken);
            if (read is 0)
            {
                _emptied.TrySetResult();
                await _end.Task.WaitAsync(cancellationToken);
            }

            return read;
        }
    }

    [Fact]
    public async Task A_file_that_is_refused_before_its_first_byte_gives_way_to_the_next_under_a_header_of_its_own()
    {
        var output = TestOutput.Make(size: 1_000_000);
        using var damaged = new MemoryStream([.. output.Nar[..^1], (byte)(output.Nar[^1] ^ 1)]);
        using var right = new MemoryStream(output.Nar);
        await using var run = Run.Begin(output, "none", damaged, new SpoolSpace(_directory, most: 0), length: null, isLast: false);
        await using var reader = run.Read();
        Assert.Equal(DeliveryState.Ready, await reader.StartAsync(default));
        var response = new DefaultHttpContext().Response;
        reader.WriteHead(response);
        Assert.Null(response.ContentLength);
        await run.Running;
        run.Next(right, output.Nar.Length);

        await Assert.ThrowsAsync<NarRefusedException>(() => reader.ReadAsync(new byte[10]).AsTask());

        Assert.True(reader.WasRejected);
        Assert.Equal(DeliveryState.Ready, await reader.StartAsync(default));
        Assert.False(reader.WasRejected);
        reader.WriteHead(response);
        Assert.Equal(output.Nar.Length, response.ContentLength);
        Assert.Equal(output.Nar, await AllAsync(reader));
    }

    [Fact]
    public async Task A_delivery_outlives_the_attempt_of_YARP_that_read_a_refused_file()
    {
        var output = TestOutput.Make(size: 1_000_000);
        using var damaged = new MemoryStream([.. output.Nar[..^1], (byte)(output.Nar[^1] ^ 1)]);
        using var right = new MemoryStream(output.Nar);
        await using var run = Run.Begin(output, "none", damaged, new SpoolSpace(_directory, most: 0), isLast: false);
        await using var reader = run.Read();
        await reader.StartAsync(default);
        using var request = new HttpRequestMessage();
        await new DeliveryTransformer(reader).TransformRequestAsync(new DefaultHttpContext(), request, "", default);
        await run.Running;
        using (var response = await DeliveryTransformer.Invoker.SendAsync(request, default))
        {
            var body = await response.Content.ReadAsStreamAsync();
            await Assert.ThrowsAsync<NarRefusedException>(() => body.ReadAsync(new byte[10]).AsTask());
        }

        run.Next(right, output.Nar.Length);

        Assert.Equal(DeliveryState.Ready, await reader.StartAsync(default));
        Assert.Equal(output.Nar, await AllAsync(reader));
    }

    /// <summary>A body and its producer, without an upstream.</summary>
    private sealed class Run : IAsyncDisposable
    {
        private readonly CancellationTokenSource _end = new();
        private readonly NarDownload _download;
        private readonly NarOrder _order;
        private readonly NarCandidate _candidate;
        private readonly DeliveryContext _context;
        private readonly BadNarMemory _badNars = new();

        private Run(NarOrder order, NarCandidate candidate, SpoolSpace space)
        {
            (_order, _candidate) = (order, candidate);
            _context = new DeliveryContext
            {
                Refused = new RefusedNars(TimeProvider.System),
                Finder = new NarFinder([], _badNars, TimeProvider.System),
                BadNars = _badNars,
                Known = null!,
                Store = null,
                Space = space,
                Turns = new SemaphoreSlim(1),
                OnRefused = _ =>
                    { },
                Deadline = TimeSpan.FromSeconds(5),
                Stay = TimeSpan.Zero,
                Time = TimeProvider.System,
                Logger = NullLogger.Instance,
            };
            _download = new NarDownload(order, _context);
        }

        /// <summary>Ends with the verdict on the last file.</summary>
        public Task Running { get; private set; } = Task.CompletedTask;

        public static Run Begin(TestOutput output, string compression, Stream source, SpoolSpace space, long? length = -1,
            bool isLast = true)
        {
            var key = NixSecretKey.Generate("builder");
            var narInfo = output.NarInfo(compression);
            Assert.True(OutputClaim.TryReadSigned(
                narInfo with { Signatures = [key.Sign(narInfo.Fingerprint)] }, [key.PublicKey], out var claim, out _));
            var upstream = new Upstream(
                new UpstreamOptions("main", new Uri("http://127.0.0.1:1"), 1), TimeSpan.FromSeconds(1), TimeProvider.System);
            var order = new NarOrder(claim, compression, narInfo.FileHash!, null, () => false);
            var candidate = new NarCandidate(upstream, narInfo, new Uri("http://127.0.0.1:1/nar"), Decompress: false, IsSameFile: true);
            var run = new Run(order, candidate, space);
            run.Next(source, length is -1 ? output.File(compression).Length : length, isLast);
            return run;
        }

        /// <summary>Offers the next upstream's file.</summary>
        /// <param name="length">Its length; null when it is not known.</param>
        /// <param name="isLast">Whether no other file follows one that is refused.</param>
        public void Next(Stream source, long? length, bool isLast = true)
        {
            var body = new NarBody(_candidate, length, _context.Space);
            _download.TryOffer(body);
            Running = PumpAsync(body, source, isLast);
        }

        public NarDelivery Read(string? range = null)
        {
            var context = new DefaultHttpContext();
            context.Request.Headers.Range = range;
            var delivery = new NarDelivery(_download, new RequestedRange(context.Request));
            Assert.True(_download.TryJoin(delivery));
            return delivery;
        }

        public async ValueTask DisposeAsync()
        {
            await _end.CancelAsync();
            await Running;
            await _download.DisposeAsync();
            _candidate.Upstream.Dispose();
            _badNars.Dispose();
            _context.Turns.Dispose();
            _end.Dispose();
        }

        private async Task PumpAsync(NarBody body, Stream source, bool isLast)
        {
            try
            {
                var verdict = await new NarPump(_order, body, null).RunAsync(source, _end.Token);
                _download.Conclude(body, verdict);
                if (verdict.Fault is null || isLast)
                {
                    _download.End(verdict.Fault is null ? DeliveryState.Ready : DeliveryState.Unavailable);
                }
            }
            catch (OperationCanceledException)
            {
                body.Complete(new NarVerdict(NarFault.BrokenOff, null));
            }
        }
    }
}
