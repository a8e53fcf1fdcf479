using System.Threading.Channels;
using Microsoft.Data.Sqlite;

namespace TrustixProxy.Substituter.Operations;

/// <summary>Writes to the state database in the background, one thing after the other. What a refusing disk does not take is lost, unless it must not be: then it is tried again.</summary>
internal sealed class StateWriter : IDisposable
{
    /// <summary>What waits beyond this is dropped, unless it must not be: the disk does not follow.</summary>
    private const int MaxWaiting = 10_000;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private readonly Channel<Item> _waiting = Channel.CreateUnbounded<Item>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _end = new();
    private readonly Action<SqliteException> _onRefused;
    private readonly Task _writing;
    private int _count;

    /// <param name="onRefused">Told when the disk refuses.</param>
    public StateWriter(Action<SqliteException>? onRefused = null)
    {
        _onRefused = onRefused ?? (_ => { });
        _writing = Task.Run(WriteAsync);
    }

    /// <summary>Has something written soon.</summary>
    /// <param name="write">What writes it.</param>
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
        return _waiting.Writer.TryWrite(item) ? item.Done.Task : Task.CompletedTask;
    }

    /// <summary>Waits a moment for what is still to be written.</summary>
    public void Dispose()
    {
        _waiting.Writer.TryComplete();
        _writing.Wait(TimeSpan.FromSeconds(2));
        _end.Cancel();
    }

    private async Task WriteAsync()
    {
        await foreach (var item in _waiting.Reader.ReadAllAsync())
        {
            while (!TryWrite(item.Write) && item.IsDue && !_end.IsCancellationRequested)
            {
                await Task.Delay(Pause);
            }

            Interlocked.Decrement(ref _count);
            item.Done.TrySetResult();
        }
    }

    private bool TryWrite(Action write)
    {
        try
        {
            write();
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
