using System.Threading.Channels;
using Microsoft.Data.Sqlite;

namespace TrustixProxy.Substituter.Operations;

/// <summary>The state database of this process, with what writes to it in the background: all that waits at a moment becomes true at once, in the order that it came in. What a refusing disk does not take is lost, unless it must not be: then it is tried again.</summary>
internal sealed class StateWriter : IDisposable
{
    /// <summary>What waits beyond this is dropped, unless it must not be: the disk does not follow.</summary>
    private const int MaxWaiting = 10_000;

    /// <summary>The most that is written together: what comes meanwhile waits for it.</summary>
    private const int MaxTogether = 256;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    /// <summary>How long that which nobody waits for is held back, to be written with what comes next.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(20);

    private readonly Channel<Item> _waiting = Channel.CreateUnbounded<Item>(new UnboundedChannelOptions { SingleReader = true });
    private readonly SemaphoreSlim _hasDue = new(0);
    private readonly CancellationTokenSource _end = new();
    private readonly Action<SqliteException> _onRefused;
    private readonly Task _writing;
    private int _count;

    /// <param name="stateDirectory">Where the database is.</param>
    /// <param name="onRefused">Told when the disk refuses.</param>
    /// <exception cref="SqliteException">The file cannot be read or written, or is no database.</exception>
    public StateWriter(string stateDirectory, Action<SqliteException>? onRefused = null)
    {
        Database = new StateDatabase(stateDirectory, isDurable: false);
        _onRefused = onRefused ?? (_ => { });
        _writing = Task.Run(WriteAsync);
    }

    /// <summary>What is written to. A change is on the disk soon after it was made.</summary>
    public StateDatabase Database { get; }

    /// <summary>Has something written soon.</summary>
    /// <param name="write">What writes it; may be called more than once, when the disk has refused.</param>
    /// <param name="isDue">Whether it must not be lost, as long as this process lives.</param>
    /// <returns>Done when it is written, or was dropped.</returns>
    public Task Write(Action write, bool isDue = false)
    {
        if (!isDue && Volatile.Read(ref _count) >= MaxWaiting)
        {
            return Task.CompletedTask;
        }

        var item = new Item(write, isDue);
        Interlocked.Increment(ref _count);
        if (!_waiting.Writer.TryWrite(item))
        {
            return Task.CompletedTask;
        }

        if (isDue)
        {
            _hasDue.Release();
        }

        return item.Done.Task;
    }

    /// <summary>Waits a moment for what is still to be written.</summary>
    public void Dispose()
    {
        _waiting.Writer.TryComplete();
        _hasDue.Release();
        _writing.Wait(TimeSpan.FromSeconds(2));
        _end.Cancel();
        Database.Dispose();
    }

    private async Task WriteAsync()
    {
        var together = new List<Item>();
        while (await _waiting.Reader.WaitToReadAsync())
        {
            await _hasDue.WaitAsync(Linger);
            while (_hasDue.Wait(0))
            {
                // All that is due now is read below.
            }

            while (together.Count < MaxTogether && _waiting.Reader.TryRead(out var item))
            {
                together.Add(item);
            }

            if (!TryWrite(() => together.ForEach(item => item.Write())))
            {
                await WriteOneByOneAsync(together);
            }

            Interlocked.Add(ref _count, -together.Count);
            together.ForEach(item => item.Done.TrySetResult());
            together.Clear();
        }
    }

    private async Task WriteOneByOneAsync(List<Item> items)
    {
        foreach (var item in items)
        {
            while (!TryWrite(item.Write) && item.IsDue && !_end.IsCancellationRequested)
            {
                await Task.Delay(Pause);
            }
        }
    }

    private bool TryWrite(Action write)
    {
        try
        {
            Database.Together(write);
            return true;
        }
        catch (SqliteException exception)
        {
            _onRefused(exception);
            return false;
        }
    }

    private sealed record Item(Action Write, bool IsDue)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
