using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using TrustixProxy.IO.Supervision;
using TrustixProxy.LogNode.Storage;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>Passes one log's submissions and flushes to its writer, in order. All that wait at one moment share one disk write.</summary>
/// <remarks>A caller that finds no writer active writes for all that wait, on its own thread. So a single client never waits for a thread
/// to wake.</remarks>
/// <param name="writer">The log's writer, which only this class uses.</param>
internal sealed class Sequencer(LogWriter writer, SequencerOptions options, LogMetrics metrics, TimeProvider time, ILogger logger)
{
    private const int MaxWaiting = 1024;
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(50), Housekeeping = TimeSpan.FromSeconds(1);

    private readonly ConcurrentQueue<Request> _waiting = new();
    private readonly string _name = options.Name;
    private readonly bool _isAtOnce = options.FlushInterval == TimeSpan.Zero;
    private volatile PublishedHead _newest = writer.Head;
    private volatile PublishedHead _head = writer.Visible;
    private readonly TaskCompletionSource _mayBegin = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private (ImmutableDictionary<string, long> Log, ImmutableDictionary<string, long> MapHeads) _witnessed =
        (writer.WitnessedSizes(Tree.Log), writer.WitnessedSizes(Tree.MapHeads));
    private int _queued = writer.CountQueue(); // the previous process may have left one
    private long _headSeenAt = time.GetTimestamp();
    private int _isWriting;
    private long _submitted; // number of items since the last tick
    private CancellationToken _stopping;
    private bool _flushFollows; // the last request was a flush: such a client flushes after each submission

    /// <summary>The head that readers see.</summary>
    public PublishedHead Head => _head;

    /// <summary>The newest head; with witnesses that must cosign first, readers may not see it yet.</summary>
    public PublishedHead Newest => _newest;

    /// <summary>Sizes that witnesses are known to have of the log and of its map-head log, by name.</summary>
    public (ImmutableDictionary<string, long> Log, ImmutableDictionary<string, long> MapHeads) WitnessedSizes => _witnessed;

    /// <summary>Why nothing is signed any more; null while all is well.</summary>
    public string? Refusal => writer.Refusal ?? Suspicion;

    /// <summary>Why the witnesses' answers forbid signing; nobody signs such answers, so this may end. Null when they do not.</summary>
    public string? Suspicion { get; set; }

    /// <summary>How long this process has had the head that readers see.</summary>
    public TimeSpan HeadAge => time.GetElapsedTime(Interlocked.Read(ref _headSeenAt));

    /// <summary>Whether the last write failed.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>Number of items that wait for their head.</summary>
    public int Queued => Volatile.Read(ref _queued);

    /// <summary>Queues items. Completes when they are on disk; under a head too, if each gets one at once.</summary>
    public Task SubmitAsync(IReadOnlyList<Entry> items, CancellationToken cancellation) =>
        AskWhenBegunAsync(new Request(items, IsFlush: false), cancellation);

    /// <summary>Sequences everything queued before; completes when its head is on disk.</summary>
    public Task FlushAsync(CancellationToken cancellation) =>
        AskWhenBegunAsync(new Request([], IsFlush: true), cancellation);

    /// <summary>Keeps what witnesses answered, and shows readers the head if it is cosigned. Completes when it is on disk.</summary>
    public Task KeepAsync(WitnessState state, CancellationToken cancellation) =>
        AskAsync(new Request([], IsFlush: false, Witnesses: state), cancellation);

    /// <summary>Begins to write: witnesses have been asked for the first time.</summary>
    public void Begin() => _mayBegin.TrySetResult();

    /// <summary>Flushes at an interval, reclaims old map pages, and merges the index when little is submitted.</summary>
    public SupervisedLoop Loop => new("sequencer", _name, _isAtOnce ? Housekeeping : options.FlushInterval, async stopping =>
    {
        if (IsWaiting)
        {
            await _mayBegin.Task.WaitAsync(stopping);
        }

        _stopping = stopping;
        var tick = new Request([], IsFlush: true, IsTick: true);
        _waiting.Enqueue(tick);
        WorkIfNobodyDoes();
        await ((Task)tick.Done.Task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // faults are logged where they occur
    })
    { WaitsFirst = true };

    /// <summary>Whether witnesses are still to be asked for the first time.</summary>
    private bool IsWaiting => options.HasWitnesses && !_mayBegin.Task.IsCompleted;

    private Task AskWhenBegunAsync(Request request, CancellationToken cancellation)
    {
        return IsWaiting ? WaitAsync() : AskAsync(request, cancellation);

        async Task WaitAsync()
        {
            await _mayBegin.Task.WaitAsync(cancellation);
            await AskAsync(request, cancellation);
        }
    }

    private Task AskAsync(Request request, CancellationToken cancellation)
    {
        _waiting.Enqueue(request);
        WorkIfNobodyDoes();
        return request.Done.Task.WaitAsync(cancellation);
    }

    private void WorkIfNobodyDoes()
    {
        if (_waiting.IsEmpty || Interlocked.Exchange(ref _isWriting, 1) is not 0)
        {
            return; // the active writer checks again when it is done
        }

        var taken = new List<Request>();
        while (taken.Count < MaxWaiting && _waiting.TryDequeue(out var request))
        {
            taken.Add(request);
        }

        Work(taken);
        Interlocked.Exchange(ref _isWriting, 0);
        if (!_waiting.IsEmpty)
        {
            ThreadPool.UnsafeQueueUserWorkItem(_ => WorkIfNobodyDoes(), null); // not here: a caller waits for this thread
        }
    }

    /// <summary>Writes all waiting items durably at once; then sequences batches, if a flush was requested or enough items wait.</summary>
    private void Work(List<Request> waiting)
    {
        try
        {
            foreach (var state in waiting.Select(request => request.Witnesses).OfType<WitnessState>())
            {
                writer.Keep(state);
                _witnessed = (state.LogSizes, state.MapHeadSizes);
                Show();
            }

            waiting = Refuse(waiting); // only now: a state may say that nothing may be signed
            var items = waiting.SelectMany(request => request.Items).ToList();
            var isFlush = _isAtOnce || waiting.Exists(request => request.IsFlush);
            var isDirect = isFlush || _flushFollows || items.Count >= LogWriter.BatchSize;
            _flushFollows = waiting.FindLast(request => request.IsSubmission)?.IsFlush ?? _flushFollows;
            _submitted += items.Count;
            metrics.Submitted(_name, items.Count);
            if (_queued is 0 && isDirect)
            {
                SequenceDirectly(items);
            }
            else if (items.Count > 0)
            {
                writer.Enqueue(items);
                _queued += items.Count;
                Answer(waiting.Where(request => !request.IsFlush && !_isAtOnce)); // before the head, which takes longer
            }

            if (Refusal is null && (isFlush || _queued >= LogWriter.BatchSize))
            {
                SequenceQueue();
            }

            HasFailed = false;
            Answer(waiting);
            if (waiting.Exists(request => request.IsTick))
            {
                Reclaim(isQuiet: _submitted < LogWriter.BatchSize);
                _submitted = 0;
            }
        }
        catch (Exception exception)
        {
            HasFailed = true;
            logger.WriteFailed(exception, _name);
            foreach (var request in waiting)
            {
                request.Done.TrySetException(exception);
            }
        }
    }

    /// <summary>Answers submissions with an error while nothing may be signed; returns the other requests.</summary>
    private List<Request> Refuse(List<Request> waiting)
    {
        if (Refusal is not { } reason)
        {
            return waiting;
        }

        foreach (var request in waiting.Where(request => request.IsSubmission))
        {
            request.Done.TrySetException(new SigningStoppedException(reason));
        }

        return waiting.FindAll(request => !request.IsSubmission);
    }

    /// <summary>Sequences items without queueing them, when they would leave the queue at once: one disk write instead of two.</summary>
    private void SequenceDirectly(List<Entry> items)
    {
        foreach (var batch in items.Chunk(LogWriter.BatchSize))
        {
            var start = time.GetTimestamp();
            Publish(writer.Sequence(batch), time.GetElapsedTime(start));
        }
    }

    private void SequenceQueue()
    {
        while (_queued > 0)
        {
            var start = time.GetTimestamp();
            var (taken, conflicts) = writer.Sequence();
            _queued = taken is 0 ? 0 : Math.Max(0, _queued - taken);
            Publish(conflicts, time.GetElapsedTime(start));
        }
    }

    /// <summary>Publishes the new head, if there is one.</summary>
    private void Publish(int conflicts, TimeSpan took)
    {
        metrics.Sequenced(_name, conflicts, took);
        if (conflicts > 0)
        {
            logger.ConflictsSeen(_name, conflicts);
        }

        Show();
    }

    private void Show()
    {
        var hasMoved = _head.MapHeadSize != writer.Visible.MapHeadSize;
        (_newest, _head) = (writer.Head, writer.Visible);
        if (hasMoved)
        {
            Interlocked.Exchange(ref _headSeenAt, time.GetTimestamp());
        }
    }

    /// <summary>Reclaims old map pages, and merges the index; only briefly while calls wait.</summary>
    private void Reclaim(bool isQuiet)
    {
        var start = time.GetTimestamp();
        while (writer.Reclaim(options.HistoryWindow, isQuiet) && !_stopping.IsCancellationRequested
            && (_waiting.IsEmpty || time.GetElapsedTime(start) <= Moment))
        {
            // The next tick, or the next process, reclaims the rest.
        }
    }

    private static void Answer(IEnumerable<Request> requests)
    {
        foreach (var request in requests)
        {
            request.Done.TrySetResult();
        }
    }

    private sealed record Request(IReadOnlyList<Entry> Items, bool IsFlush, bool IsTick = false, WitnessState? Witnesses = null)
    {
        /// <summary>Whether a publisher asked; otherwise the node itself.</summary>
        public bool IsSubmission => !IsTick && Witnesses is null;

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
