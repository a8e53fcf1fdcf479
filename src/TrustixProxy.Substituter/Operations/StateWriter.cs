using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Data.Sqlite;

namespace TrustixProxy.Substituter.Operations;

/// <summary>The state database of this process, with what writes to it in the background: what waits at a moment becomes true at once, in the order that it came in. What a refusing disk does not take is lost, unless it must not be: then it is tried again.</summary>
/// <remarks>What is due is somebody's answer that waits: it goes before the rest, which is written when nothing has been due for a moment, or much of it waits.</remarks>
internal sealed class StateWriter : IDisposable
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
    private readonly CancellationTokenSource _end = new();
    private readonly Action<Exception> _onFailed;
    private readonly Task _writing;
    private volatile bool _isEnding;
    private long _toldAt; // a timestamp; 0 while the disk takes what it is given
    private long _writingSince; // a timestamp; 0 while nothing is written
    private int _count; // of the rest

    /// <param name="stateDirectory">Where the database is.</param>
    /// <param name="onFailed">Told when the disk refuses (<see cref="SqliteException"/>; once a minute while it does), and of what failed for another reason.</param>
    /// <exception cref="SqliteException">The file cannot be read or written, or is no database.</exception>
    public StateWriter(string stateDirectory, Action<Exception>? onFailed = null)
    {
        Database = new StateDatabase(stateDirectory, isDurable: false);
        _onFailed = onFailed ?? (_ => { });
        _writing = Task.Run(WriteAsync);
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
        Database.Dispose();
    }

    private async Task WriteAsync()
    {
        while (!_isEnding || !_due.IsEmpty || !_rest.IsEmpty)
        {
            var isQuiet = !await _news.WaitAsync(_isEnding ? TimeSpan.Zero : Volatile.Read(ref _count) > 0 ? Linger : Timeout.InfiniteTimeSpan);
            while (await WriteSomeAsync(_due))
            {
                // All that is due.
            }

            if (isQuiet || Volatile.Read(ref _count) >= MaxTogether)
            {
                await WriteSomeAsync(_rest);
            }
        }
    }

    /// <summary>Writes what waits, up to a number; false when nothing does.</summary>
    private async Task<bool> WriteSomeAsync(ConcurrentQueue<Item> waiting)
    {
        var together = new List<Item>();
        while (together.Count < MaxTogether && waiting.TryDequeue(out var item))
        {
            together.Add(item);
        }

        if (together.Count is 0)
        {
            return false;
        }

        Volatile.Write(ref _writingSince, Stopwatch.GetTimestamp());
        if (TryWrite(() => together.ForEach(item => item.Write())) is not null)
        {
            await WriteOneByOneAsync(together);
        }

        Volatile.Write(ref _writingSince, 0);
        Interlocked.Add(ref _count, -together.Count(item => !item.IsDue));
        together.ForEach(item => item.Done.TrySetResult());
        return true;
    }

    private async Task WriteOneByOneAsync(List<Item> items)
    {
        foreach (var item in items)
        {
            while (TryWrite(item.Write) is { } failure)
            {
                Tell(failure);
                if (failure is not SqliteException || !item.IsDue || _end.IsCancellationRequested)
                {
                    break;
                }

                await Task.Delay(Pause);
            }
        }
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
