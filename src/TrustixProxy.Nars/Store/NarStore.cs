using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Native;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Store;

/// <summary>A file that is known to be what its name says.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Size">Its length in bytes.</param>
public sealed record StoredFile(string Path, long Size);

/// <summary>NARs that were verified on their way to a client, kept on disk as they were served. It decides nothing: what is asked of it was
/// decided on elsewhere, each time.</summary>
/// <remarks>
/// <code>
/// verified beside its way ──▶ <see cref="NarStoreWriter"/> ──▶ temporary file, fsync, room made, rename ──▶ served
/// found on the disk at the start, or changed since it was looked at ──▶ hashed against its name ──▶ served, or deleted
/// </code></remarks>
public sealed class NarStore : IDisposable
{
    /// <summary>What stands for an upstream's name where the store itself has the NAR.</summary>
    public const string Name = "nar-store";

    /// <summary>How long nothing is stored after the disk has refused.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    /// <summary>How many files are hashed at once.</summary>
    private const int MaxVerifying = 2;

    private readonly NarStoreOptions _options;
    private readonly KnownFiles _known;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly NarStoreFolder _folder;
    private readonly StoredNarIndex _index;
    private readonly NarStoreWriter _writer;
    private readonly SemaphoreSlim _turns = new(MaxVerifying);
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _end = new();
    private long _refusedAt; // timestamp of the clock; 0 while it stores

    public NarStore(NarStoreOptions options, KnownFiles known, TimeProvider time, ILogger logger)
    {
        (_options, _known, _time, _logger) = (options, known, time, logger);
        (_folder, _index) = (new NarStoreFolder(options.Directory), new StoredNarIndex(options.MaxSize, options.Pinned));
        _writer = new NarStoreWriter(_folder, options.MaxSize, Load, Publish, GiveUp, time, logger);
    }

    /// <summary>Done when it knows what it has.</summary>
    public Task Loaded => _loaded.Task;

    /// <summary>How many bytes its files have together.</summary>
    public long Size => _index.Size;

    /// <summary>Begins to look at what there is, and to store.</summary>
    public void Start() => _writer.Start();

    /// <summary>Whether it has the file that a decision names. It may not have been hashed yet.</summary>
    public bool Holds(DecisionRecord record) => record is { Claim: { } claim, Hints: { } hints } && record.MustMatch is null
        && _index.FindOf(claim.Path.Digest, nar => IsOf(nar, claim) && nar.FileHash == hints.FileHash
            && nar.Compression == hints.Compression) is not null;

    /// <summary>The full path of a digest, where it has a NAR of that: a hint, as any other name is.</summary>
    public StorePath? NameOf(StorePathDigest digest) => _index.FindOf(digest, _ => true)?.Path;

    /// <summary>What a narinfo says of the NAR of a claim where only the store has it; null when it has not.</summary>
    public NarHints? HintsFor(OutputClaim claim) =>
        _index.FindOf(claim.Path.Digest, nar => IsOf(nar, claim)) is { } nar && _index.Find(nar) is { } entry
        ? new NarHints(nar.Compression, nar.FileHash, entry.Size, null, null, [], Name)
        : null;

    /// <summary>Finds a file, hashed if that has not been done since this process runs; null when there is none, or its hash is not known
    /// in time.</summary>
    /// <param name="nar">What it must hold.</param>
    /// <param name="patience">How long it is waited for; the hashing goes on.</param>
    /// <param name="cancellation">Ends the waiting.</param>
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

    /// <summary>The length of a file that it has, whether hashed or not; null when it has none.</summary>
    public long? SizeOf(StoredNar nar) => _index.Find(nar)?.Size;

    /// <summary>Says that a file could not be read after all.</summary>
    public void Lose(StoredNar nar, Exception exception)
    {
        _logger.Unreadable(nar.ToString(), exception.Message);
        _index.Remove(nar);
    }

    /// <summary>Begins to store a NAR that is on its way; null when that is not done now.</summary>
    /// <param name="nar">What it is said to be.</param>
    /// <param name="length">How many bytes it has, when that is known.</param>
    public NarStoreWriter.Write? Begin(StoredNar nar, long? length) =>
        length > _options.MaxSize || !_loaded.Task.IsCompletedSuccessfully || IsPausing() || _index.Find(nar) is not null ? null
            : _writer.Begin(nar);

    public void Dispose()
    {
        _writer.Dispose();
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

    /// <summary>Takes a file that nobody has changed since it was known to be right; null when somebody has.</summary>
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

    /// <summary>Hashes a file, once for all who want it at the moment.</summary>
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
                _index.Remove(nar); // somebody has deleted it
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

    /// <summary>Looks at what there is, on the writer's thread: files that were begun by the dead go, and so does what is too
    /// much.</summary>
    private void Load()
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

    /// <summary>Takes a file that is whole and right, on the writer's thread. At no moment do all files together have more bytes than they
    /// may.</summary>
    private void Publish(StoredNar nar, string temporary, FileStamp state)
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

    private void GiveUp(StoredNar nar, Exception? exception)
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
