using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using TrustixProxy.LogNode.Operations;
using TrustixProxy.LogNode.Storage;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>Takes submissions and flushes of one log in their order, and hands them to its writer: all that wait at one moment share one write to the disk.</summary>
internal sealed class Sequencer(string name, LogWriter writer, LogMetrics metrics, TimeSpan flushInterval, TimeSpan historyWindow, TimeProvider time, ILogger logger)
{
    private const int MaxWaiting = 1024;

    private readonly Channel<Request> _requests = Channel.CreateBounded<Request>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });
    private volatile PublishedHead _head = writer.Head;
    private int _queued = writer.CountQueue(); // the process before may have left one
    private long _headSeenAt = time.GetTimestamp();

    /// <summary>The newest head.</summary>
    public PublishedHead Head => _head;

    /// <summary>For how long the newest head has been the newest, in this process.</summary>
    public TimeSpan HeadAge => time.GetElapsedTime(Interlocked.Read(ref _headSeenAt));

    /// <summary>Whether the last write failed.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>How many items wait for their head.</summary>
    public int Queued => Volatile.Read(ref _queued);

    /// <summary>Queues items; done when they are on the disk.</summary>
    public Task SubmitAsync(IReadOnlyList<Entry> items, CancellationToken cancellation) => AskAsync(new Request(items, IsFlush: false), cancellation);

    /// <summary>Puts all that was queued before into the log; done when the head over it is on the disk.</summary>
    public Task FlushAsync(CancellationToken cancellation) => AskAsync(new Request([], IsFlush: true), cancellation);

    /// <summary>Works until it is stopped, and then on what waits.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await using var stop = stopping.Register(() => _requests.Writer.TryComplete());
        _ = TickAsync(stopping);
        var waiting = new List<Request>();
        while (await _requests.Reader.WaitToReadAsync(CancellationToken.None))
        {
            while (waiting.Count < MaxWaiting && _requests.Reader.TryRead(out var request))
            {
                waiting.Add(request);
            }

            Work(waiting);
            waiting.Clear();
        }
    }

    private async Task AskAsync(Request request, CancellationToken cancellation)
    {
        await _requests.Writer.WriteAsync(request, cancellation);
        await request.Done.Task.WaitAsync(cancellation);
    }

    /// <summary>Asks for a flush by itself, at an interval.</summary>
    private async Task TickAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(flushInterval, time);
        await using var stop = stopping.Register(timer.Dispose);
        while (await timer.WaitForNextTickAsync(CancellationToken.None))
        {
            _requests.Writer.TryWrite(new Request([], IsFlush: true));
        }
    }

    /// <summary>One durable write for all items that wait; then batches, if a flush is asked for or enough has come.</summary>
    private void Work(List<Request> waiting)
    {
        try
        {
            var items = waiting.SelectMany(request => request.Items).ToList();
            if (items.Count > 0)
            {
                writer.Enqueue(items);
                _queued += items.Count;
                metrics.Submitted(name, items.Count);
                Answer(waiting.Where(request => !request.IsFlush));
            }

            var isFlush = waiting.Exists(request => request.IsFlush);
            if (isFlush || _queued >= LogWriter.BatchSize)
            {
                SequenceAll();
            }

            HasFailed = false;
            Answer(waiting);
            while (isFlush && historyWindow > TimeSpan.Zero && writer.Reclaim(historyWindow) && !_requests.Reader.TryPeek(out _))
            {
                // What is left is reclaimed now, unless somebody waits: then after the next flush.
            }
        }
        catch (Exception exception)
        {
            HasFailed = true;
            logger.WriteFailed(exception, name);
            foreach (var request in waiting)
            {
                request.Done.TrySetException(exception);
            }
        }
    }

    private void SequenceAll()
    {
        while (_queued > 0)
        {
            var start = time.GetTimestamp();
            var (taken, conflicts) = writer.Sequence();
            if (taken is 0)
            {
                _queued = 0;
                return;
            }

            _queued = Math.Max(0, _queued - taken);
            metrics.Sequenced(name, conflicts, time.GetElapsedTime(start));
            if (conflicts > 0)
            {
                logger.ConflictsSeen(name, conflicts);
            }

            if (_head != writer.Head)
            {
                _head = writer.Head;
                Interlocked.Exchange(ref _headSeenAt, time.GetTimestamp());
            }
        }
    }

    private static void Answer(IEnumerable<Request> requests)
    {
        foreach (var request in requests)
        {
            request.Done.TrySetResult();
        }
    }

    private sealed record Request(IReadOnlyList<Entry> Items, bool IsFlush)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
