using System.Security.Cryptography;
using TrustixProxy.AptGate.Archives;
using TrustixProxy.AptGate.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Delivery;

/// <summary>Fetches one file for all clients that ask for it, by way of a file on disk. Hashes it while it streams, and lets the end go
/// only when the whole has the SHA-256 that it must have.</summary>
/// <remarks>
/// <code>
/// archive ──▶ hash, disk ──▶ received - <see cref="Withheld"/> may be read by clients; all of it once it is verified
///     breaks off ──▶ goes on at the offset, a few times while nothing comes, without limit while bytes come in between
/// </code></remarks>
/// <param name="order">The file.</param>
/// <param name="store">Keeps it once it is whole.</param>
/// <param name="pauses">Pauses before the archive is asked to go on, one after the other while nothing comes.</param>
public sealed class FileFetch(FileOrder order, FileStore store, TimeProvider time, IReadOnlyList<TimeSpan> pauses) : IDisposable
{
    /// <summary>Number of bytes held back until the verdict; all of a smaller file.</summary>
    public const int Withheld = 64 << 10;

    private const int BufferSize = 64 << 10;

    private readonly TaskCompletionSource<FetchStart> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<FetchEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _abandoned = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Spool? _spool;
    private long _received, _released;
    private int _users;
    private bool _isOver, _isDone;

    public FileOrder Order => order;

    /// <summary>Completes when it is known whether bytes come.</summary>
    public Task<FetchStart> Started => _started.Task;

    /// <summary>Completes when all bytes came, or no more will.</summary>
    public Task<FetchEnd> Ended => _ended.Task;

    /// <summary>Registers a user; false when the fetch was abandoned or has failed, so that another is needed.</summary>
    public bool TryEnter()
    {
        lock (_lock)
        {
            var isOfUse = !_isOver && !(_ended.Task.IsCompletedSuccessfully && _ended.Task.Result.Fault is not null);
            _users += isOfUse ? 1 : 0;
            return isOfUse;
        }
    }

    /// <summary>Unregisters a user. When the last one leaves, the fetch ends.</summary>
    public void Leave()
    {
        bool isLast;
        lock (_lock)
        {
            isLast = --_users is 0;
            _isOver |= isLast;
        }

        if (isLast)
        {
            _abandoned.Cancel();
            DisposeIfDone(isOver: true, isDone: _isDone);
        }
    }

    /// <summary>Reads bytes that may be let go; waits until there are some. 0 at the end of a verified file.</summary>
    /// <param name="offset">Where to read.</param>
    /// <param name="buffer">Receives the bytes.</param>
    /// <param name="isUnverified">Whether bytes are read as soon as they come: they must not leave before the verdict.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="IOException">No more bytes come, or they are not the file.</exception>
    public async ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, bool isUnverified, CancellationToken cancellation)
    {
        while (true)
        {
            var news = Volatile.Read(ref _news).Task;
            var end = isUnverified ? Interlocked.Read(ref _received) : Interlocked.Read(ref _released);
            if (end > offset)
            {
                return await RandomAccess.ReadAsync(
                    _spool!.Handle, buffer[..(int)Math.Min(buffer.Length, end - offset)], offset, cancellation);
            }

            if (_ended.Task.IsCompletedSuccessfully)
            {
                return _ended.Task.Result.Fault is { } fault ? throw new IOException(fault) : 0;
            }

            await Task.WhenAny(news, _ended.Task).WaitAsync(cancellation);
        }
    }

    /// <summary>Fetches; once.</summary>
    public async Task RunAsync()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        FetchEnd end;
        try
        {
            end = await FetchAsync(hash, _abandoned.Token);
        }
        catch (Exception exception)
        {
            var why = exception is OperationCanceledException ? "nobody waits for it any more" : exception.Message;
            end = new FetchEnd(why, default, _received);
        }

        _started.TrySetResult(new FetchStart(502, null, null, end.Fault ?? ""));
        Interlocked.Exchange(ref _released, end.Fault is null ? _received : _released);
        _ended.TrySetResult(end);
        Tell();
        DisposeIfDone(_isOver, isDone: true);
    }

    /// <summary>Closes the file; done when the fetch has ended and its last user left.</summary>
    public void Dispose()
    {
        _spool?.Dispose();
        _abandoned.Dispose();
    }

    private async Task<FetchEnd> FetchAsync(IncrementalHash hash, CancellationToken cancellation)
    {
        long? whole = order.Size;
        DateTimeOffset? modifiedAt = null;
        for (var failures = 0; ;)
        {
            var before = _received;
            try
            {
                using var file = await order.Archive.OpenAsync(
                    HttpMethod.Get, order.Path, ArchiveCondition.None with { From = _received > 0 ? _received : null }, cancellation);
                if (Refusal(file, whole) is { } refusal)
                {
                    _started.TrySetResult(refusal);
                    return new FetchEnd(refusal.Reason, default, _received);
                }

                (whole, modifiedAt) = (whole ?? file.WholeLength, modifiedAt ?? file.ModifiedAt);
                _spool ??= store.Begin();
                _started.TrySetResult(new FetchStart(200, whole, modifiedAt));
                await PumpAsync(file, whole, hash, cancellation);
                return whole > _received ? throw new IOException("the archive broke off") : Judge(hash, modifiedAt);
            }
            catch (IOException exception) when (exception is not ArchiveException { Fault.IsAnswer: true })
            {
                failures = _received > before ? 1 : failures + 1;
                if (failures > pauses.Count || _received == 0)
                {
                    throw;
                }

                await Task.Delay(pauses[failures - 1], time, cancellation);
            }
        }
    }

    /// <summary>Returns why an answer is not the file; null when it may be.</summary>
    private FetchStart? Refusal(ArchiveFile file, long? whole) =>
        !file.HasContent ? new FetchStart(file.FailureStatus, null, null, $"the archive answers {file.Status}")
        : file.Start > _received || (whole is { } length && file.WholeLength is { } named && named != length)
            ? new FetchStart(502, null, null, $"the archive has a file of {file.WholeLength} bytes, not of {whole}")
        : (whole ?? file.WholeLength) > store.MaxSize
            ? new FetchStart(502, null, null, $"the file has {whole ?? file.WholeLength} bytes, and store.maxSize is {store.MaxSize}")
        : null;

    private async Task PumpAsync(ArchiveFile file, long? whole, IncrementalHash hash, CancellationToken cancellation)
    {
        var buffer = new byte[BufferSize];
        var limit = whole ?? store.MaxSize;
        for (var at = file.Start; await file.ReadAsync(buffer, cancellation) is var read and > 0; at += read)
        {
            var skipped = (int)Math.Clamp(_received - at, 0, read); // an archive without ranges begins anew
            var fresh = buffer.AsMemory(skipped, read - skipped);
            if (_received + fresh.Length > limit)
            {
                throw new ArchiveException(new(Nars.Upstreams.UpstreamFailure.FileTooLarge), null);
            }

            hash.AppendData(fresh.Span);
            await store.WriteAsync(_spool!, fresh, _received, cancellation);
            Interlocked.Add(ref _received, fresh.Length);
            Interlocked.Exchange(ref _released, order.Sha256 is null ? 0 : Math.Max(0, _received - Withheld));
            Tell();
        }
    }

    private FetchEnd Judge(IncrementalHash hash, DateTimeOffset? modifiedAt)
    {
        var sha256 = new Digest(hash.GetHashAndReset());
        if (order.Sha256 is { } wanted && wanted != sha256)
        {
            return new FetchEnd($"the archive sent another file: its SHA-256 is {sha256}, not {wanted}", sha256, _received);
        }

        store.Publish(_spool!, sha256, _received, modifiedAt);
        return new FetchEnd(null, sha256, _received);
    }

    private void Tell() =>
        Interlocked.Exchange(ref _news, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();

    private void DisposeIfDone(bool isOver, bool isDone)
    {
        bool isEnd;
        lock (_lock)
        {
            (_isOver, _isDone) = (_isOver || isOver, _isDone || isDone);
            isEnd = _isOver && _isDone;
        }

        if (isEnd)
        {
            Dispose();
        }
    }
}
