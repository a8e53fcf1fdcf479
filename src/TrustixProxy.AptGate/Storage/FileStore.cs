using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using TrustixProxy.Native;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Storage;

/// <summary>Keeps files on disk by their SHA-256, up to a size. The least recently used go first.</summary>
/// <remarks>The disk is not trusted: a file is hashed before its first use in this process, and again when it was written since.</remarks>
public sealed class FileStore : IDisposable
{
    /// <summary>How often a file's last use is recorded on it.</summary>
    private static readonly TimeSpan TouchInterval = TimeSpan.FromHours(1);

    private readonly FileStoreOptions _options;
    private readonly FileStoreFolder _folder;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<Digest, Kept> _files = [];
    private readonly LinkedList<Kept> _byUse = new(); // the least recently used first
    private readonly CancellationTokenSource _end = new();
    private readonly SemaphoreSlim _turns = new(Math.Max(1, Environment.ProcessorCount / 2)); // hashing beside answers
    private readonly Task _loading;
    private long _size;

    /// <summary>Opens the store, and lists its files in the background.</summary>
    /// <exception cref="IOException">The folder cannot be made.</exception>
    public FileStore(FileStoreOptions options, TimeProvider time, ILogger logger)
    {
        (_options, _time, _logger) = (options, time, logger);
        Directory.CreateDirectory(options.Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _folder = new FileStoreFolder(options.Directory);
        _loading = Task.Run(Load);
    }

    /// <summary>Maximum number of bytes kept.</summary>
    public long MaxSize => _options.MaxSize;

    /// <summary>Number of bytes kept.</summary>
    public long Size => Interlocked.Read(ref _size);

    /// <summary>Opens a file; null when there is none, or its bytes changed. The caller disposes it.</summary>
    public async ValueTask<StoredFile?> FindAsync(Digest sha256, CancellationToken cancellation)
    {
        await _loading.WaitAsync(cancellation);
        if (Use(sha256) is not { } kept)
        {
            return null;
        }

        return await VerifiedAsync(kept).WaitAsync(cancellation) ? Open(kept) : null;
    }

    /// <summary>Whether the store has a file, hashed or not.</summary>
    public bool Holds(Digest sha256)
    {
        lock (_lock)
        {
            return _files.ContainsKey(sha256);
        }
    }

    /// <summary>Begins to write a file.</summary>
    /// <exception cref="StoreException">The disk refuses.</exception>
    public Spool Begin()
    {
        try
        {
            return _folder.Begin();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Refused(exception);
        }
    }

    /// <summary>Writes a part of a file.</summary>
    /// <exception cref="StoreException">The disk refuses.</exception>
    public async ValueTask WriteAsync(Spool spool, ReadOnlyMemory<byte> part, long offset, CancellationToken cancellation)
    {
        try
        {
            await RandomAccess.WriteAsync(spool.Handle, part, offset, cancellation);
        }
        catch (IOException exception)
        {
            throw Refused(exception);
        }
    }

    /// <summary>Keeps a file that was written whole, under the SHA-256 of its bytes. What the disk refuses is not kept.</summary>
    public void Publish(Spool spool, Digest sha256, long size, DateTimeOffset? modifiedAt)
    {
        if (size > _options.MaxSize)
        {
            return;
        }

        try
        {
            var entry = new StoreEntry(sha256, size, modifiedAt, _time.GetUtcNow().UtcDateTime);
            Add(new Kept(entry) { Stamp = _folder.Publish(spool, entry) });
            Evict();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _logger.StoreRefused(_options.Directory, exception.Message);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _end.Cancel();
        _loading.Wait(TimeSpan.FromSeconds(2));
    }

    private StoreException Refused(Exception exception)
    {
        _logger.PassingFileRefused(_options.Directory, exception.Message);
        return new StoreException(exception);
    }

    private void Load()
    {
        try
        {
            _folder.DeleteAbandoned();
            foreach (var entry in _folder.List().OrderBy(entry => entry.UsedAt).TakeWhile(_ => !_end.IsCancellationRequested))
            {
                Add(new Kept(entry));
            }

            Evict();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _logger.StoreRefused(_options.Directory, exception.Message);
        }
    }

    private void Add(Kept kept)
    {
        lock (_lock)
        {
            if (_files.Remove(kept.Entry.Sha256, out var before))
            {
                Forget(before);
                if (before.Entry.ModifiedAt != kept.Entry.ModifiedAt)
                {
                    _folder.Delete(before.Entry); // it has another name
                }
            }

            _files.Add(kept.Entry.Sha256, kept);
            kept.Place = _byUse.AddLast(kept);
            _size += kept.Entry.Size;
        }
    }

    private void Evict()
    {
        lock (_lock)
        {
            while (_size > _options.MaxSize && _byUse.First is { Value: var oldest })
            {
                _files.Remove(oldest.Entry.Sha256);
                Forget(oldest);
                _folder.Delete(oldest.Entry);
            }
        }
    }

    private void Lose(Kept kept)
    {
        lock (_lock)
        {
            if (_files.GetValueOrDefault(kept.Entry.Sha256) == kept)
            {
                _files.Remove(kept.Entry.Sha256);
                Forget(kept);
                _folder.Delete(kept.Entry);
            }
        }
    }

    private void Forget(Kept kept)
    {
        _byUse.Remove(kept.Place!);
        _size -= kept.Entry.Size;
    }

    private Kept? Use(Digest sha256)
    {
        lock (_lock)
        {
            if (_files.TryGetValue(sha256, out var kept))
            {
                _byUse.Remove(kept.Place!);
                kept.Place = _byUse.AddLast(kept);
            }

            return kept;
        }
    }

    private StoredFile? Open(Kept kept)
    {
        try
        {
            var handle = File.OpenHandle(_folder.PathOf(kept.Entry), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete,
                FileOptions.Asynchronous);
            return new StoredFile(handle, kept.Entry.Size, kept.Entry.ModifiedAt);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Lose(kept);
            return null;
        }
    }

    /// <summary>Whether a file is unchanged since its bytes were hashed; hashes it if they were not, once for all callers.</summary>
    private Task<bool> VerifiedAsync(Kept kept)
    {
        lock (kept)
        {
            if (kept.Stamp is { } stamp && _folder.Look(kept.Entry) == stamp)
            {
                Touch(kept);
                return Task.FromResult(true);
            }

            return kept.Verifying is { IsCompleted: false } underway ? underway
                : kept.Verifying = Task.Run(() => HashAsync(kept, _end.Token));
        }
    }

    private void Touch(Kept kept)
    {
        var now = _time.GetUtcNow();
        if (now.UtcDateTime - kept.TouchedAt < TouchInterval)
        {
            return;
        }

        var before = kept.Stamp!.Value;
        _folder.Touch(kept.Entry, now);
        kept.TouchedAt = now.UtcDateTime;
        kept.Stamp = _folder.Look(kept.Entry) is { } after && after.Inode == before.Inode && after.Size == before.Size ? after : null;
    }

    private async Task<bool> HashAsync(Kept kept, CancellationToken cancellation)
    {
        await _turns.WaitAsync(cancellation);
        try
        {
            var stamp = _folder.Look(kept.Entry);
            if (stamp is null || stamp.Value.Size != kept.Entry.Size || await DigestOfAsync(kept, cancellation) != kept.Entry.Sha256)
            {
                _logger.StoredFileDamaged(kept.Entry.Sha256.ToString());
                Lose(kept);
                return false;
            }

            lock (kept)
            {
                kept.Stamp = stamp;
            }

            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Lose(kept);
            return false;
        }
        finally
        {
            _turns.Release();
        }
    }

    private async Task<Digest> DigestOfAsync(Kept kept, CancellationToken cancellation)
    {
        await using var file = new FileStream(_folder.PathOf(kept.Entry), new FileStreamOptions
        {
            Options = FileOptions.Asynchronous | FileOptions.SequentialScan,
            Share = FileShare.ReadWrite | FileShare.Delete,
        });
        return new Digest(await SHA256.HashDataAsync(file, cancellation));
    }

    private sealed class Kept(StoreEntry entry)
    {
        public StoreEntry Entry => entry;

        /// <summary>Its stamp when its bytes had their hash; null before.</summary>
        public FileStamp? Stamp { get; set; }

        public Task<bool>? Verifying { get; set; }

        public DateTime TouchedAt { get; set; } = entry.UsedAt;

        public LinkedListNode<Kept>? Place { get; set; }
    }
}
