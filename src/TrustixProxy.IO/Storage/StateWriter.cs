using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.IO.Storage;

/// <summary>Commits queued writes to state.sqlite in batches, in order. A failed write is dropped, or retried if it was queued as
/// mandatory.</summary>
/// <remarks>Mandatory writes have a waiting caller, so they go first. The rest is written after a short pause in those, or when many have
/// accumulated.</remarks>
public sealed class StateWriter : IDisposable
{
    /// <summary>Maximum number of queued optional writes; more are dropped, because the disk is too slow.</summary>
    private const int MaxWaiting = 10_000;

    /// <summary>Maximum number of writes in one batch.</summary>
    private const int MaxTogether = 64;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    /// <summary>How long optional writes are held back, to be batched with the next.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(20);

    /// <summary>Time after which a write counts as stuck.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <summary>Interval between reports of a disk that keeps failing.</summary>
    private static readonly TimeSpan Reminder = TimeSpan.FromMinutes(1);

    private readonly ConcurrentQueue<Item> _due = new(), _rest = new();
    private readonly SemaphoreSlim _news = new(0);
    private readonly CancellationTokenSource _end = new(), _written = new(); // written: all is done, and nothing follows
    private readonly List<Item> _taken = []; // being written one by one
    private readonly Task _writing;
    private volatile bool _isEnding;
    private long _toldAt; // a timestamp; 0 while the disk accepts writes
    private long _writingSince; // a timestamp; 0 while no write runs
    private int _count; // number of optional writes queued

    /// <param name="stateDirectory">The directory of the database.</param>
    /// <exception cref="SqliteException">The file cannot be read or written, or is not a database.</exception>
    public StateWriter(string stateDirectory, TimeProvider time, ILogger logger)
    {
        Database = new StateDatabase(stateDirectory, isDurable: false);
        var loop = new SupervisedLoop("state writer", stateDirectory, TimeSpan.Zero, _ => WriteNextAsync());
        _writing = Task.Run(() => loop.RunAsync(time, logger, _written.Token));
    }

    /// <param name="stateDirectory">The directory of the database.</param>
    public StateWriter(string stateDirectory)
        : this(stateDirectory, TimeProvider.System, NullLogger.Instance)
    {
    }

    /// <summary>Raised when the disk fails (<see cref="SqliteException"/>; once a minute while it does), and for every other failure.
    /// </summary>
    public event Action<Exception>? Failed;

    /// <summary>The database written to. A change is on disk soon after it was made.</summary>
    public StateDatabase Database { get; }

    /// <summary>Whether the current write has taken so long that callers should not wait for the disk.</summary>
    public bool IsStuck => Volatile.Read(ref _writingSince) is > 0 and var since && Stopwatch.GetElapsedTime(since) > Patience;

    /// <summary>Waits until a write is done, but not for a disk that is stuck.</summary>
    /// <param name="writing">The result of <see cref="Write"/>.</param>
    public Task WaitAsync(Task writing, TimeProvider time) =>
        writing.IsCompleted || IsStuck ? Task.CompletedTask : Task.WhenAny(writing, Task.Delay(Patience, time));

    /// <summary>Queues a write.</summary>
    /// <param name="write">Writes; may run again after it, or another write of its batch, failed.</param>
    /// <param name="isDue">Whether to retry while the disk fails, as long as this process lives.</param>
    /// <returns>Completes when it is written or dropped. A failure other than the disk's drops it.</returns>
    public Task Write(Action write, bool isDue = false)
    {
        if (_isEnding || (!isDue && Volatile.Read(ref _count) >= MaxWaiting))
        {
            return Task.CompletedTask;
        }

        var item = new Item(write, isDue);
        (isDue ? _due : _rest).Enqueue(item);
        if (isDue || Interlocked.Increment(ref _count) is 1 or MaxTogether)
        {
            _news.Release();
        }

        return item.Done.Task;
    }

    /// <summary>Waits briefly for queued writes.</summary>
    public void Dispose()
    {
        _isEnding = true;
        _news.Release();
        _writing.Wait(TimeSpan.FromSeconds(2));
        _end.Cancel();
        _written.Cancel();
        Database.Dispose();
    }

    /// <summary>Writes when anything is queued. Ends the loop once the queue is closed and empty.</summary>
    private async Task WriteNextAsync()
    {
        await WriteOneByOneAsync(); // what a failed batch has left
        if (_isEnding && _due.IsEmpty && _rest.IsEmpty)
        {
            await _written.CancelAsync();
            return;
        }

        var isQuiet = _due.IsEmpty
            && !await _news.WaitAsync(_isEnding ? TimeSpan.Zero : Volatile.Read(ref _count) > 0 ? Linger : Timeout.InfiniteTimeSpan);
        while (await WriteSomeAsync(_due))
        {
            // All mandatory writes.
        }

        if (isQuiet || Volatile.Read(ref _count) >= MaxTogether)
        {
            await WriteSomeAsync(_rest);
        }
    }

    /// <summary>Writes up to one batch; false when nothing is queued.</summary>
    private async Task<bool> WriteSomeAsync(ConcurrentQueue<Item> waiting)
    {
        while (_taken.Count < MaxTogether && waiting.TryDequeue(out var item))
        {
            _taken.Add(item);
        }

        if (_taken.Count is 0)
        {
            return false;
        }

        Volatile.Write(ref _writingSince, Stopwatch.GetTimestamp());
        if (TryWrite(() => _taken.ForEach(item => item.Write())) is null)
        {
            Finish(_taken.Count);
        }
        else
        {
            await WriteOneByOneAsync();
        }

        return true;
    }

    private async Task WriteOneByOneAsync()
    {
        while (_taken.Count > 0)
        {
            var failure = TryWrite(_taken[0].Write);
            var isTriedAgain = failure is SqliteException && _taken[0].IsDue && !_end.IsCancellationRequested;
            if (!isTriedAgain)
            {
                Finish(1);
            }

            if (failure is not null)
            {
                Tell(failure);
                await (isTriedAgain ? Task.Delay(Pause) : Task.CompletedTask);
            }
        }
    }

    /// <summary>Completes the first of the taken writes, written or dropped.</summary>
    private void Finish(int count)
    {
        var done = _taken.GetRange(0, count);
        _taken.RemoveRange(0, count);
        if (_taken.Count is 0)
        {
            Volatile.Write(ref _writingSince, 0);
        }

        Interlocked.Add(ref _count, -done.Count(item => !item.IsDue));
        done.ForEach(item => item.Done.TrySetResult());
    }

    /// <summary>Runs writes in one transaction; returns the failure, or null.</summary>
    private Exception? TryWrite(Action write)
    {
        try
        {
            Database.Together(write);
            _toldAt = 0;
            return null;
        }
        catch (Exception exception)
        {
            return exception;
        }
    }

    private void Tell(Exception failure)
    {
        if (failure is SqliteException)
        {
            if (_toldAt is not 0 && Stopwatch.GetElapsedTime(_toldAt) < Reminder)
            {
                return;
            }

            _toldAt = Stopwatch.GetTimestamp();
        }

        Failed?.Invoke(failure);
    }

    private sealed record Item(Action Write, bool IsDue)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
