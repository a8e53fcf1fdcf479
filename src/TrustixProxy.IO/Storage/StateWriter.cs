using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using TrustixProxy.IO.Supervision;

namespace TrustixProxy.IO.Storage;

/// <summary>The state database of this process, with what writes to it in the background: what waits at a moment becomes true at once, in
/// the order that it came in. What a refusing disk does not take is lost, unless it must not be: then it is tried again.</summary>
/// <remarks>What is due is somebody's answer that waits: it goes before the rest, which is written when nothing has been due for a moment,
/// or much of it waits.</remarks>
public sealed class StateWriter : IDisposable
{
    /// <summary>What waits beyond this is dropped, unless it must not be: the disk does not follow.</summary>
    private const int MaxWaiting = 10_000;

    /// <summary>The most that is written together: what comes meanwhile waits for it.</summary>
    private const int MaxTogether = 64;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    /// <summary>How long that which nobody waits for is held back, to be written with what comes next.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(20);

    /// <summary>How long a disk may take over a write.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    /// <summary>How often a disk that goes on refusing is spoken of.</summary>
    private static readonly TimeSpan Reminder = TimeSpan.FromMinutes(1);

    private readonly ConcurrentQueue<Item> _due = new(), _rest = new();
    private readonly SemaphoreSlim _news = new(0);
    private readonly CancellationTokenSource _end = new(), _written = new(); // written: all of it, and nothing follows
    private readonly Action<Exception> _onFailed;
    private readonly List<Item> _taken = []; // what is being written one by one
    private readonly Task _writing;
    private volatile bool _isEnding;
    private long _toldAt; // a timestamp; 0 while the disk takes what it is given
    private long _writingSince; // a timestamp; 0 while nothing is written
    private int _count; // of the rest

    /// <param name="stateDirectory">Where the database is.</param>
    /// <param name="logger">Told of faults of this program.</param>
    /// <param name="onFailed">Told when the disk refuses (<see cref="SqliteException"/>; once a minute while it does), and of what failed
    /// for another reason.</param>
    /// <exception cref="SqliteException">The file cannot be read or written, or is no database.</exception>
    public StateWriter(string stateDirectory, TimeProvider time, ILogger logger, Action<Exception>? onFailed = null)
    {
        Database = new StateDatabase(stateDirectory, isDurable: false);
        _onFailed = onFailed ?? (_ => { });
        var loop = new SupervisedLoop("state writer", stateDirectory, TimeSpan.Zero, _ => WriteNextAsync());
        _writing = Task.Run(() => loop.RunAsync(time, logger, _written.Token));
    }

    /// <param name="stateDirectory">Where the database is.</param>
    /// <param name="onFailed">Told what is not written, and why.</param>
    public StateWriter(string stateDirectory, Action<Exception>? onFailed = null)
        : this(stateDirectory, TimeProvider.System, NullLogger.Instance, onFailed)
    {
    }

    /// <summary>What is written to. A change is on the disk soon after it was made.</summary>
    public StateDatabase Database { get; }

    /// <summary>Whether what is being written has taken so long that nobody should wait for the disk.</summary>
    public bool IsStuck => Volatile.Read(ref _writingSince) is > 0 and var since && Stopwatch.GetElapsedTime(since) > Patience;

    /// <summary>Has something written soon.</summary>
    /// <param name="write">What writes it; may be called more than once, when it or what is written with it has failed.</param>
    /// <param name="isDue">Whether it must not be lost, as long as this process lives, because the disk refuses.</param>
    /// <returns>Done when it is written, or was dropped; what fails for another reason than the disk is dropped.</returns>
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

    /// <summary>Waits a moment for what is still to be written.</summary>
    public void Dispose()
    {
        _isEnding = true;
        _news.Release();
        _writing.Wait(TimeSpan.FromSeconds(2));
        _end.Cancel();
        _written.Cancel();
        Database.Dispose();
    }

    /// <summary>Writes what waits, as soon as anything does. Ends the loop once nothing follows.</summary>
    private async Task WriteNextAsync()
    {
        await WriteOneByOneAsync(); // what a fault has left
        if (_isEnding && _due.IsEmpty && _rest.IsEmpty)
        {
            await _written.CancelAsync();
            return;
        }

        var isQuiet = _due.IsEmpty
            && !await _news.WaitAsync(_isEnding ? TimeSpan.Zero : Volatile.Read(ref _count) > 0 ? Linger : Timeout.InfiniteTimeSpan);
        while (await WriteSomeAsync(_due))
        {
            // All that is due.
        }

        if (isQuiet || Volatile.Read(ref _count) >= MaxTogether)
        {
            await WriteSomeAsync(_rest);
        }
    }

    /// <summary>Writes what waits, up to a number; false when nothing does.</summary>
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

    /// <summary>The first of those taken are written, or lost.</summary>
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

    /// <summary>Writes all of it or nothing; answers why nothing was.</summary>
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

        _onFailed(failure);
    }

    private sealed record Item(Action Write, bool IsDue)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
