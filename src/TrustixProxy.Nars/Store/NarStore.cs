using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Buckets;
using TrustixProxy.IO.Redis;
using TrustixProxy.Native;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Store;

/// <summary>A stored file, verified to match its name.</summary>
/// <param name="Path">The file's path.</param>
/// <param name="Size">Length in bytes.</param>
public sealed record StoredFile(string Path, long Size);

/// <summary>Keeps verified NARs on disk, in the form in which they were served. It decides nothing: each request was decided elsewhere.
/// </summary>
/// <remarks>
/// <code>
/// verified while it was sent ──▶ <see cref="NarStoreWriter"/> ──▶ temporary file, fsync, eviction, rename ──▶ served
/// found on disk at start, or changed since the last check ──▶ hashed against its name ──▶ served, or deleted
/// </code></remarks>
public sealed class NarStore : NarShelf, IDisposable
{
    /// <summary>The source name used where the store itself provides a NAR.</summary>
    public const string Name = "nar-store";

    /// <summary>How long storing pauses after a disk error.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    /// <summary>Maximum number of files hashed at once.</summary>
    private const int MaxVerifying = 2;

    private readonly NarStoreOptions _options;
    private readonly KnownFiles _known;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly NarStoreFolder _folder;
    private readonly StoredNarIndex _index;
    private readonly NarStoreWriter _writer;
    private readonly SharedNars? _shared;
    private readonly SemaphoreSlim _turns = new(MaxVerifying);
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _end = new();
    private long _refusedAt; // timestamp of the clock; 0 while it stores

    public NarStore(NarStoreOptions options, KnownFiles known, TimeProvider time, ILogger logger)
    {
        (_options, _known, _time, _logger) = (options, known, time, logger);
        (_folder, _index) = (new NarStoreFolder(options.Directory, options.Store), new StoredNarIndex(options.MaxSize, options.Pinned));
        _writer = new NarStoreWriter(_folder, options.MaxSize, this, time, logger);
        _shared = options.Shared is null ? null : new SharedNars(options.Shared, time, logger);
    }

    /// <summary>Completes when the store has read its folder.</summary>
    public Task Loaded => _loaded.Task;

    /// <summary>Total size of its files, in bytes.</summary>
    public long Size => _index.Size;

    /// <summary>Starts reading the folder, and storing.</summary>
    public void Start()
    {
        _writer.Start();
        _shared?.Start();
    }

    /// <summary>Shares NARs with this key and through this Redis from now on; see <see cref="SharedNars.Use"/>.</summary>
    public void Use(BucketSigner? signer, RedisConnection? redis) => _shared?.Use(signer, redis);

    /// <summary>Whether the store has the file that a decision names. The file may not have been hashed yet.</summary>
    public bool Holds(DecisionRecord record) => record is { Claim: { } claim, Hints: { } hints } && record.MustMatch is null
        && _index.FindOf(claim.Path.Digest, nar => IsOf(nar, claim) && nar.FileHash == hints.FileHash
            && nar.Compression == hints.Compression) is not null;

    /// <summary>Returns the full path of a digest for which a NAR is stored; like any name, only a hint.</summary>
    public StorePath? NameOf(StorePathDigest digest) => _index.FindOf(digest, _ => true)?.Path;

    /// <summary>Returns a narinfo's fields for a claim that only the store can serve; null when it cannot.</summary>
    public NarHints? HintsFor(OutputClaim claim) =>
        _index.FindOf(claim.Path.Digest, nar => IsOf(nar, claim)) is { } nar && _index.Find(nar) is { } entry
        ? new NarHints(nar.Compression, nar.FileHash, entry.Size, null, null, [], Name)
        : null;

    /// <summary>Finds a file, hashed at least once since this process started. Null when there is none, or hashing takes too
    /// long.</summary>
    /// <param name="nar">The file to find.</param>
    /// <param name="patience">Maximum wait; hashing continues afterwards.</param>
    /// <param name="cancellation">Cancels the wait.</param>
    public async ValueTask<StoredFile?> FindAsync(StoredNar nar, TimeSpan patience, CancellationToken cancellation)
    {
        var start = _time.GetTimestamp();
        var entry = await IsDoneAsync(_loaded.Task, patience, cancellation) ? _index.Find(nar) : null;
        var file = entry is null ? null : Use(entry);
        if (file is null && entry is not null
            && await IsDoneAsync(HashedAsync(entry), patience - _time.GetElapsedTime(start), cancellation))
        {
            file = Use(entry);
        }

        NarStoreMetrics.Read(file is null ? "miss" : "hit");
        return file;
    }

    /// <summary>Returns the length of a stored file, hashed or not; null when there is none.</summary>
    public long? SizeOf(StoredNar nar) => _index.Find(nar)?.Size;

    /// <summary>Handles a failed read of a file: drops it from the index.</summary>
    public void Lose(StoredNar nar, Exception exception)
    {
        _logger.Unreadable(nar.ToString(), exception.Message);
        _index.Remove(nar);
    }

    /// <summary>Starts storing a NAR while it is sent; null when that is not possible now.</summary>
    /// <param name="length">Length in bytes, if known.</param>
    /// <param name="shared">The claim, to share the NAR with other replicas once it is stored; null to keep it here.</param>
    /// <param name="isDamaged">Whether what is shared now was refused, so that it is replaced.</param>
    public NarStoreWriter.Write? Begin(StoredNar nar, long? length, OutputClaim? shared = null, bool isDamaged = false) =>
        length > _options.MaxSize || !_loaded.Task.IsCompletedSuccessfully || IsPausing() || _index.Find(nar) is not null ? null
            : _writer.Begin(nar, shared is null || _shared is null ? null
                : () => _shared.Offer(shared, nar, _folder.PathOf(nar), isDamaged));

    public void Dispose()
    {
        _writer.Dispose();
        _shared?.Dispose();
        _end.Cancel();
    }

    private static bool IsOf(StoredNar nar, OutputClaim claim) =>
        nar.NarHash == claim.NarHash && nar.NarSize == claim.NarSize && nar.Path == claim.Path;

    private async Task<bool> IsDoneAsync(Task task, TimeSpan patience, CancellationToken cancellation)
    {
        if (!task.IsCompleted && patience > TimeSpan.Zero)
        {
            await Task.WhenAny(task, Task.Delay(patience, _time, cancellation));
            cancellation.ThrowIfCancellationRequested();
        }

        return task.IsCompletedSuccessfully;
    }

    /// <summary>Returns a verified file that has not changed since; null when it has.</summary>
    private StoredFile? Use(StoredNarEntry entry)
    {
        lock (entry)
        {
            var state = _folder.Look(entry.Nar);
            if (state is null || state != entry.Verified)
            {
                return null;
            }

            _folder.Touch(entry.Nar, _time.GetUtcNow());
            var touched = _folder.Look(entry.Nar);
            entry.Verified = touched?.Inode == state.Value.Inode && touched?.Size == state.Value.Size ? touched : null;
        }

        _index.Touch(entry.Nar);
        return new StoredFile(_folder.PathOf(entry.Nar), entry.Size);
    }

    /// <summary>Hashes a file, once for all concurrent callers.</summary>
    private Task HashedAsync(StoredNarEntry entry)
    {
        lock (entry)
        {
            return entry.Verifying is { IsCompleted: false } underway ? underway
                : entry.Verifying = Task.Run(() => HashAsync(entry, _end.Token));
        }
    }

    private async Task HashAsync(StoredNarEntry entry, CancellationToken cancellation)
    {
        var nar = entry.Nar;
        await _turns.WaitAsync(cancellation);
        try
        {
            if (_folder.Look(nar) is not { } state)
            {
                _index.Remove(nar); // deleted by another process
                return;
            }

            var known = nar.Compression is NarCompression.None ? null : await _known.FindAsync(nar.NarHash, nar.Compression, nar.FileHash);
            if (await StoredNarCheck.RunAsync(_folder.PathOf(nar), nar, known is not null, cancellation) is { } fault)
            {
                NarStoreMetrics.Read("damaged");
                _logger.Damaged(nar.ToString(), fault);
                _index.Remove(nar);
                _folder.Delete(nar);
                return;
            }

            if (known is null && nar.Compression is not NarCompression.None)
            {
                _known.Add(nar.NarHash, nar.Compression, new KnownFile(nar.FileHash, entry.Size));
            }

            lock (entry)
            {
                entry.Verified = state;
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Lose(nar, exception);
        }
        finally
        {
            _turns.Release();
        }
    }

    /// <summary>Scans the store on the writer's thread: removes leftovers of crashed processes, evicts down to the limit.</summary>
    internal override void Load()
    {
        try
        {
            _folder.DeleteAbandoned();
            var files = _folder.List().OrderBy(file => file.UsedAt).ToList();
            files.ForEach(file => _index.Add(file.Nar, file.Size));
            Evict(_index.Excess(0, out _));
            _logger.Opened(_options.Directory, files.Count, _index.Size);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Refuse(exception);
        }
        finally
        {
            _loaded.TrySetResult();
        }
    }

    /// <summary>Publishes a complete and verified file, on the writer's thread. The total size never exceeds the limit.</summary>
    internal override void Publish(StoredNar nar, string temporary, FileStamp state)
    {
        var excess = _index.Excess(state.Size, out var isEnough);
        if (!isEnough)
        {
            NarStoreFolder.Discard(temporary);
            _logger.NoRoom(nar.ToString());
            NarStoreMetrics.Written("no-room");
            return;
        }

        Evict(excess);
        var published = _folder.Publish(temporary, nar, state);
        _index.Add(nar, state.Size).Verified = published;
        NarStoreMetrics.Written("stored");
        if (Interlocked.Exchange(ref _refusedAt, 0) is not 0)
        {
            _logger.StoresAgain(_options.Directory);
        }
    }

    private void Evict(IReadOnlyList<StoredNarEntry> excess)
    {
        foreach (var entry in excess)
        {
            _folder.Delete(entry.Nar);
            _index.Remove(entry.Nar);
            NarStoreMetrics.Evicted();
        }
    }

    internal override void GiveUp(StoredNar nar, Exception? exception)
    {
        NarStoreMetrics.Written(exception is null ? "dropped" : "refused");
        if (exception is not null)
        {
            Refuse(exception);
        }
    }

    private void Refuse(Exception exception)
    {
        if (!IsPausing())
        {
            Interlocked.Exchange(ref _refusedAt, Math.Max(1, _time.GetTimestamp()));
            _logger.DiskRefused(_options.Directory, (int)Pause.TotalSeconds, exception.Message);
        }
    }

    private bool IsPausing() => Interlocked.Read(ref _refusedAt) is var at and not 0 && _time.GetElapsedTime(at) < Pause;
}
