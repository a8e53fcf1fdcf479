using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;
using TrustixProxy.IO.Supervision;
using TrustixProxy.Native;
using TrustixProxy.Nix;

namespace TrustixProxy.Nars.Store;

/// <summary>Writes NARs to the disk beside their way to clients, on one thread of its own. Nobody waits for it: what the disk does not
/// follow with is given up.</summary>
/// <remarks>
/// <code>
/// pieces of up to 64 NARs ──512 pieces (32 MiB) wait at the most──▶ temporary file ──verified?──▶ fsync ──▶ publish
///                                                                                  ──else──────▶ deleted
/// </code></remarks>
public sealed class NarStoreWriter : IDisposable
{
    private const int MaxWrites = 64, MaxPieces = 512;

    private readonly NarStoreFolder _folder;
    private readonly long _maxSize;
    private readonly Action<StoredNar, string, FileStamp> _publish;
    private readonly Action<StoredNar, Exception?> _onGivenUp;
    private readonly BlockingCollection<Step> _steps = [];
    private readonly ConcurrentDictionary<StoredNar, Write> _writes = new();
    private readonly Action _prepare;
    private readonly SupervisedLoop _loop;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _written = new(); // all of it, and nothing follows
    private Task? _running;
    private bool _isPrepared;
    private int _pieces;

    /// <param name="folder">Where files are begun.</param>
    /// <param name="maxSize">The most bytes of one.</param>
    /// <param name="prepare">Done on the thread before anything else.</param>
    /// <param name="publish">Takes a file that is whole, right, and on the disk.</param>
    /// <param name="onGivenUp">Told of what was right and is not stored: the disk refuses, or does not follow (null).</param>
    /// <param name="time">The clock; the system's when null.</param>
    /// <param name="logger">Told of faults of this program.</param>
    public NarStoreWriter(
        NarStoreFolder folder, long maxSize, Action prepare, Action<StoredNar, string, FileStamp> publish, Action<StoredNar,
            Exception?> onGivenUp,
        TimeProvider? time = null, ILogger? logger = null)
    {
        (_folder, _maxSize, _prepare, _publish, _onGivenUp) = (folder, maxSize, prepare, publish, onGivenUp);
        (_time, _logger) = (time ?? TimeProvider.System, logger ?? NullLogger.Instance);
        _loop = new SupervisedLoop(
            "NAR store writer", folder.Location, TimeSpan.Zero, _ =>
                Task.Factory.StartNew(WriteAll, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
    }

    public void Start() => _running = _loop.RunAsync(_time, _logger, _written.Token);

    /// <summary>Begins to write a file; null when it is being written already, or too many are.</summary>
    public Write? Begin(StoredNar nar)
    {
        var write = new Write(this, nar);
        return _writes.Count < MaxWrites && !_steps.IsAddingCompleted && _writes.TryAdd(nar, write) ? write : null;
    }

    /// <summary>Waits a moment for what is whole already.</summary>
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

    /// <summary>Writes what comes, on a thread of its own, until nothing follows.</summary>
    private void WriteAll()
    {
        if (!_isPrepared)
        {
            _isPrepared = true;
            _prepare();
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
            _onGivenUp(write.Nar, exception);
        }
        catch
        {
            write.Discard(); // a fault of this program: the loop says which, and goes on with the next step
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

    /// <summary>What is to be done next for a file: a piece to be written, or the end.</summary>
    private readonly record struct Step(Write Write, NarChunk.Piece? Piece, bool IsWhole);

    /// <summary>A file that is being written. Its first half belongs to who sends the NAR, the other to the thread.</summary>
    public sealed class Write(NarStoreWriter writer, StoredNar nar)
    {
        private int _isOver;
        private SafeFileHandle? _handle;
        private string? _path;
        private long _size;
        private bool _isClosed;

        public StoredNar Nar => nar;

        /// <summary>Takes the next bytes, without waiting.</summary>
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
            writer._onGivenUp(nar, null);
        }

        /// <summary>Says that all bytes were appended, and are the agreed NAR, in a file of this hash.</summary>
        public void Complete(NixHash fileHash) => Finish(fileHash == nar.FileHash);

        /// <summary>Gives the file up, unless it was completed.</summary>
        public void Abandon() => Finish(isWhole: false);

        /// <summary>Writes bytes, on the thread.</summary>
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

        /// <summary>Publishes the file or deletes it, on the thread.</summary>
        public void End(bool isWhole)
        {
            if (!isWhole || _isClosed || _handle is null)
            {
                Discard();
                return;
            }

            RandomAccess.FlushToDisk(_handle);
            _handle.Dispose();
            writer._publish(nar, _path!, FileStamp.Read(_path!) ?? throw new FileNotFoundException($"Somebody has deleted {_path}."));
            Close();
        }

        /// <summary>Deletes what was written, on the thread.</summary>
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
                writer.TryAdd(new Step(this, null, isWhole));
            }
        }
    }
}
