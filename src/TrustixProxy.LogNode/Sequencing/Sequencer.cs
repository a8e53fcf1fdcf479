using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using TrustixProxy.LogNode.Storage;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>Takes submissions and flushes of one log in their order, and hands them to its writer: all that wait at one moment share one write to the disk.</summary>
internal sealed class Sequencer(string name, LogWriter writer, TimeSpan flushInterval, TimeSpan historyWindow, TimeProvider time, ILogger logger)
{
    private const int MaxWaiting = 1024;

    private readonly Channel<Request> _requests = Channel.CreateBounded<Request>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });
    private volatile PublishedHead _head = writer.Head;
    private int _queued = LogWriter.BatchSize; // the process before may have left a queue

    /// <summary>The newest head.</summary>
    public PublishedHead Head => _head;

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
                Answer(waiting.Where(request => !request.IsFlush));
            }

            var isFlush = waiting.Exists(request => request.IsFlush);
            if (isFlush || _queued >= LogWriter.BatchSize)
            {
                while (_queued > 0 && writer.Sequence() > 0)
                {
                    _head = writer.Head;
                }

                _queued = 0;
            }

            Answer(waiting);
            if (isFlush && historyWindow > TimeSpan.Zero)
            {
                writer.Reclaim(historyWindow);
            }
        }
        catch (Exception exception)
        {
            logger.WriteFailed(exception, name);
            foreach (var request in waiting)
            {
                request.Done.TrySetException(exception);
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
