using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using TrustixProxy.Apt;

namespace TrustixProxy.AptGate.Indexes;

/// <summary>An index that passes.</summary>
/// <param name="Archive">The archive's name.</param>
/// <param name="Path">Its address without what changes from one to the next.</param>
/// <param name="Name">What changes: the hash in its address, or its time.</param>
public sealed record PassingIndex(string Archive, string Path, string Name);

/// <summary>Reads the indexes that pass, while they stream. Whoever asks for a file that no index names waits for those under
/// way, and not for long: one that an archive or a client draws out holds nobody up.</summary>
/// <param name="book">Keeps what they say.</param>
/// <param name="patience">Maximum wait for indexes under way.</param>
public sealed class IndexReadings(IndexBook book, TimeSpan patience, TimeProvider time, ILogger logger) : IDisposable
{
    private const int PackagesAtOnce = 500, BufferSize = 64 << 10;

    private readonly ConcurrentDictionary<PassingIndex, Task> _underway = new();
    private readonly CancellationTokenSource _end = new();

    /// <summary>Whether an index is read already, or being read.</summary>
    public bool HasRead(PassingIndex index) => _underway.ContainsKey(index) || book.HasRead(index.Archive, index.Path, index.Name);

    /// <summary>Reads an index in the background.</summary>
    /// <param name="index">The index.</param>
    /// <param name="source">Its bytes as they pass; owned.</param>
    /// <param name="isWhole">Completes when all passed: true when they are what was asked for.</param>
    public void Begin(PassingIndex index, Stream source, Task<bool> isWhole)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!_underway.TryAdd(index, done.Task))
        {
            source.Dispose();
            return;
        }

        _ = Task.Run(async () =>
        {
            try
            {
                await using var owned = source; // released even when a reading fails early, or the download that feeds it would hang
                await ReadAsync(index, source, isWhole);
            }
            finally
            {
                _underway.TryRemove(index, out var _);
                done.TrySetResult();
            }
        });
    }

    /// <summary>Finds what an archive's indexes say of a file; waits for those that are being read before it says that none
    /// does.</summary>
    public async ValueTask<IndexedFile?> FindAsync(string archive, string path, CancellationToken cancellation)
    {
        if (book.Find(archive, path) is { } known)
        {
            return known;
        }

        await WaitAsync(UnderwayOf(archive), cancellation);
        return book.Find(archive, path);
    }

    /// <summary>Finds what the indexes say of a file that those being read may know otherwise; null when they do not.</summary>
    /// <param name="known">What is known.</param>
    public async ValueTask<IndexedFile?> FindOtherAsync(string archive, string path, IndexedFile known, CancellationToken cancellation)
    {
        if (UnderwayOf(archive) is not { Count: > 0 } underway)
        {
            return null;
        }

        await WaitAsync(underway, cancellation);
        return book.Find(archive, path) is { } found && found != known ? found : null;
    }

    /// <summary>Ends the readings under way, and waits until none uses the book.</summary>
    public void Dispose()
    {
        _end.Cancel();
        Task.WaitAll([.. _underway.Values]);
        _end.Dispose();
    }

    private async Task WaitAsync(List<Task> underway, CancellationToken cancellation)
    {
        try
        {
            await Task.WhenAll(underway).WaitAsync(patience, time, cancellation);
        }
        catch (TimeoutException)
        {
            // What is known by now has to do.
        }
    }

    private List<Task> UnderwayOf(string archive) =>
        [.. _underway.Where(entry => entry.Key.Archive == archive).Select(entry => entry.Value)];

    private async Task ReadAsync(PassingIndex index, Stream source, Task<bool> isWhole)
    {
        long reading = 0;
        try
        {
            var found = new List<DebianPackage>(PackagesAtOnce);
            var reader = new PackagesReader(found.Add);
            reading = book.Begin(index.Archive, index.Path, index.Name);
            await using (var text = await IndexText.OpenAsync(source, _end.Token))
            {
                await ReadAsync(text, reader, found, reading);
            }

            reader.Complete();
            book.Add(reading, found);
            if (await isWhole.WaitAsync(_end.Token) && reader.Found > 0)
            {
                book.Commit(reading);
                logger.IndexRead(index.Archive, index.Path, reader.Found, reader.Skipped);
                return;
            }
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException or SqliteException or OperationCanceledException)
        {
            logger.IndexUnread(index.Archive, index.Path, exception.Message);
        }

        try
        {
            book.Drop(reading);
        }
        catch (SqliteException exception)
        {
            logger.IndexUnread(index.Archive, index.Path, exception.Message); // the next start drops it
        }
    }

    private async Task ReadAsync(Stream text, PackagesReader reader, List<DebianPackage> found, long reading)
    {
        var buffer = new byte[BufferSize];
        for (var length = 0L; await text.ReadAsync(buffer, _end.Token) is var read and > 0; length += read)
        {
            if (length > IndexText.MaxSize)
            {
                throw new InvalidDataException($"The index has more than {IndexText.MaxSize} bytes.");
            }

            reader.Append(buffer.AsSpan(0, read));
            if (found.Count >= PackagesAtOnce)
            {
                book.Add(reading, found);
                found.Clear();
            }
        }
    }
}
