using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Native;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Store;

/// <summary>Writes NARs to disk while they are sent, on its own thread. If the disk falls behind, the copy is abandoned.</summary>
/// <remarks>
/// <code>
/// pieces of up to 64 NARs ──at most 512 pieces (32 MiB) wait──▶ temporary file ──verified?──▶ fsync ──▶ publish
///                                                                              ──else──────▶ deleted
/// </code></remarks>
public sealed class NarStoreWriter : IDisposable
{
    private const int MaxWrites = 64, MaxPieces = 512;

    private readonly NarStoreFolder _folder;
    private readonly long _maxSize;
    private readonly NarShelf _store;
    private readonly BlockingCollection<Step> _steps = [];
    private readonly ConcurrentDictionary<StoredNar, Write> _writes = new();
    private readonly SupervisedLoop _loop;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _written = new(); // all is written, and nothing follows
    private Task? _running;
    private bool _isPrepared;
    private int _pieces;

    /// <param name="folder">Creates temporary files.</param>
    /// <param name="maxSize">Maximum size of one file, in bytes.</param>
    /// <param name="store">Receives the files.</param>
    public NarStoreWriter(NarStoreFolder folder, long maxSize, NarShelf store, TimeProvider? time = null, ILogger? logger = null)
    {
        (_folder, _maxSize, _store) = (folder, maxSize, store);
        (_time, _logger) = (time ?? TimeProvider.System, logger ?? NullLogger.Instance);
        _loop = new SupervisedLoop(
            "NAR store writer", folder.Location, TimeSpan.Zero, _ =>
                Task.Factory.StartNew(WriteAll, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
    }

    public void Start() => _running = _loop.RunAsync(_time, _logger, _written.Token);

    /// <summary>Starts writing a file; null when it is being written already, or too many are.</summary>
    /// <param name="published">Called when it has been published.</param>
    public Write? Begin(StoredNar nar, Action? published = null)
    {
        var write = new Write(this, nar) { Published = published };
        return _writes.Count < MaxWrites && !_steps.IsAddingCompleted && _writes.TryAdd(nar, write) ? write : null;
    }

    /// <summary>Waits briefly for complete files to be published.</summary>
    public void Dispose()
    {
        _steps.CompleteAdding();
        if (_running?.Wait(TimeSpan.FromSeconds(2)) is not false)
        {
            foreach (var write in _writes.Values)
            {
                write.Discard();
            }
        }
    }

    /// <summary>Writes queued steps until the queue is closed; runs on its own thread.</summary>
    private void WriteAll()
    {
        if (!_isPrepared)
        {
            _isPrepared = true;
            _store.Load();
        }

        foreach (var step in _steps.GetConsumingEnumerable())
        {
            Take(step);
        }

        _written.Cancel();
    }

    private void Take(Step step)
    {
        var (write, piece, isWhole) = step;
        try
        {
            if (piece is { } next)
            {
                write.Take(next.Bytes.Span);
            }
            else
            {
                write.End(isWhole);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            write.Discard();
            _store.GiveUp(write.Nar, exception);
        }
        catch
        {
            write.Discard(); // a bug here: the loop logs it and continues with the next step
            throw;
        }
        finally
        {
            if (piece is { } taken)
            {
                taken.Chunk.Drop();
                Interlocked.Decrement(ref _pieces);
            }
        }
    }

    private bool TryAdd(Step step)
    {
        try
        {
            return _steps.TryAdd(step);
        }
        catch (InvalidOperationException)
        {
            return false; // the host stops
        }
    }

    /// <summary>The next step for a file: a piece to write, or the end.</summary>
    private readonly record struct Step(Write Write, NarChunk.Piece? Piece, bool IsWhole);

    /// <summary>A file being written. The sender of the NAR calls the first three methods, the thread the others.</summary>
    public sealed class Write(NarStoreWriter writer, StoredNar nar)
    {
        private int _isOver;
        private SafeFileHandle? _handle;
        private string? _path;
        private long _size;
        private bool _isClosed;

        public StoredNar Nar => nar;

        /// <summary>Called on the thread when the file has been published.</summary>
        public Action? Published { get; init; }

        /// <summary>Queues the next bytes, without waiting.</summary>
        public void Append(NarChunk.Piece piece)
        {
            if (Volatile.Read(ref _isOver) is not 0)
            {
                return;
            }

            piece.Chunk.Hold();
            if (Interlocked.Increment(ref writer._pieces) <= MaxPieces && writer.TryAdd(new Step(this, piece, false)))
            {
                return;
            }

            Interlocked.Decrement(ref writer._pieces);
            piece.Chunk.Drop();
            Abandon();
            writer._store.GiveUp(nar, null);
        }

        /// <summary>Marks the file as complete and verified, with this hash.</summary>
        public void Complete(NixHash fileHash) => Finish(fileHash == nar.FileHash);

        /// <summary>Abandons the file, unless it was completed.</summary>
        public void Abandon() => Finish(isWhole: false);

        /// <summary>Writes bytes; runs on the thread.</summary>
        public void Take(ReadOnlySpan<byte> bytes)
        {
            if (_isClosed)
            {
                return;
            }

            if (_handle is null)
            {
                (_handle, _path) = writer._folder.Begin();
            }

            if (_size + bytes.Length > writer._maxSize)
            {
                Discard();
                return;
            }

            RandomAccess.Write(_handle, bytes, _size);
            _size += bytes.Length;
        }

        /// <summary>Publishes or deletes the file; runs on the thread.</summary>
        public void End(bool isWhole)
        {
            if (!isWhole || _isClosed || _handle is null)
            {
                Discard();
                return;
            }

            RandomAccess.FlushToDisk(_handle);
            _handle.Dispose();
            writer._store.Publish(nar, _path!, FileStamp.Read(_path!) ?? throw new FileNotFoundException($"Somebody has deleted {_path}."));
            Close();
            Published?.Invoke();
        }

        /// <summary>Deletes the temporary file; runs on the thread.</summary>
        public void Discard()
        {
            if (_path is not null && !_isClosed)
            {
                _handle!.Dispose();
                NarStoreFolder.Discard(_path);
            }

            Close();
        }

        private void Close()
        {
            _isClosed = true;
            Volatile.Write(ref _isOver, 1);
            writer._writes.TryRemove(new KeyValuePair<StoredNar, Write>(nar, this));
        }

        private void Finish(bool isWhole)
        {
            if (Interlocked.Exchange(ref _isOver, 1) is 0)
            {
                if (!isWhole)
                {
                    writer._writes.TryRemove(new KeyValuePair<StoredNar, Write>(nar, this)); // another source's copy may begin at once
                }

                writer.TryAdd(new Step(this, null, isWhole));
            }
        }
    }
}
