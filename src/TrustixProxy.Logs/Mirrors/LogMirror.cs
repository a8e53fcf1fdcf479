using Google.Protobuf;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Logs.Watching;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>Follows one log entry by entry: computes every leaf, the log's root and the map's root, and compares them with the signed head.
/// Afterwards it proves locally what the log would prove.</summary>
/// <remarks>
/// <code>
/// signed head ──▶ entries, some at a time ──▶ leaves hashed; their root is that of a prefix of the head's log ──▶ kept
/// last entry kept ──▶ map made of them; its root is the head's ──▶ the head that is proven under
/// </code>
/// Stored entries were proven to be under the log's signature; rejected ones are fetched again. An interrupted mirror resumes where it
/// stopped.</remarks>
public sealed class LogMirror(string name, WatchedLog log, MirrorStore store, TimeProvider time, ILogger logger) : IDisposable
{
    private static readonly TimeSpan Telling = TimeSpan.FromSeconds(10);

    private readonly MirroredEntries _entries = new(log.Client, store);
    private readonly SemaphoreSlim _turn = new(1); // held while the log is followed, and forever once the store is closed
    private readonly CancellationTokenSource _closing = new();
    private readonly Lock _catching = new();
    private Task _catchingUp = Task.CompletedTask;
    private VerifiedTreeHead? _head;
    private TreeHead? _refused;
    private string? _failure;
    private RepeatedEntry? _repeat;

    public string Name => name;

    /// <summary>The newest head this mirror has followed to; null before the first.</summary>
    public VerifiedTreeHead? Head => store.Read(HeadOf);

    /// <summary>Follows the log to its newest head. Returns the failure, or null on success.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled; entries stored until then stay.</exception>
    public async Task<string?> FollowAsync(CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            var failure = _closing.IsCancellationRequested ? null : await TryFollowAsync(cancellation);
            if (failure is not null && failure != _failure)
            {
                logger.MirrorFails(name, failure);
            }

            return _failure = failure;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Starts following the log to its newest head; concurrent callers share one run. Completes when the run ends, whether it
    /// succeeded or failed.</summary>
    public Task CatchUpAsync()
    {
        lock (_catching)
        {
            return _catchingUp is { IsCompleted: false } ? _catchingUp : _catchingUp = Task.Run(async () =>
                await ((Task)FollowAsync(_closing.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing)); // logs failures
        }
    }

    /// <summary>Proves what the log's map holds for a key, under the newest head followed to. Returns null before the first head; the value
    /// is not included.</summary>
    public LogEvidence? Prove(byte[] key) => store.Read(reader => HeadOf(reader) is { } head ? Prove(reader, head, Digest.Of(key)) : null);

    /// <summary>Proves the entry whose key looks like the store path with this digest, and returns that key's path in the map. Returns null
    /// when there is none.</summary>
    public (Digest Path, LogEvidence Evidence)? Prove(StorePathDigest digest) => store.Read(reader =>
        HeadOf(reader) is { } head && reader.FindPathOf(digest, head.Content.TreeSize) is { } path ? (path, Prove(reader, head, path))
            : ((Digest, LogEvidence)?)null);

    /// <summary>Closes the store; while a run is in flight, the store closes when that run ends.</summary>
    public void Dispose()
    {
        _closing.Cancel();
        if (_turn.Wait(TimeSpan.Zero))
        {
            store.Dispose();
            return;
        }

        logger.MirrorClosesLater(name);
        _ = CloseLaterAsync();
    }

    private async Task CloseLaterAsync()
    {
        await _turn.WaitAsync();
        store.Dispose();
    }

    private static LogEvidence Prove(MirrorReader reader, VerifiedTreeHead head, Digest path)
    {
        var proof = MirrorMap.Prove(reader, head.Content.TreeSize, path, out var leaf);
        var map = new MapValueResponse { Value = ByteString.Empty, Proof = proof.ToMessage() };
        if (leaf is not { Index: var index })
        {
            return new LogEvidence(head, map, null, null);
        }

        map.Value = UnsafeByteOperations.UnsafeWrap(new MapEntry(reader.ValueDigest(index), index).ToBytes());
        return new LogEvidence(head, map, [.. MerkleTree.InclusionProof(index, head.Content.TreeSize, reader.Subtree)], null);
    }

    private async Task<string?> TryFollowAsync(CancellationToken cancellation)
    {
        await using var interrupting = cancellation.Register(store.Interrupt);
        try
        {
            return log.IsFrozen || log.Head is not { } head ? null : await FollowAsync(head, cancellation);
        }
        catch (Exception exception) when (exception is SqliteException or InvalidDataException or IOException)
        {
            cancellation.ThrowIfCancellationRequested(); // Interrupt ended the statement
            return exception.Message;
        }
    }

    private async Task<string?> FollowAsync(VerifiedTreeHead head, CancellationToken cancellation)
    {
        if (_repeat is not null)
        {
            return await _repeat.RefuseAsync(log, store, head, cancellation);
        }

        var known = Head;
        if (known?.Content == head.Content || _refused == head.Content)
        {
            return _refused == head.Content ? _failure : null;
        }

        var (size, told) = (_entries.Begin(), time.GetTimestamp());
        while (size < head.Content.TreeSize)
        {
            var failure = store.IsDiskFull
                ? "its disk is nearly full: free space, or set the log's mode to light"
                : await _entries.FetchAsync(head, cancellation);
            if (failure is not null)
            {
                return failure;
            }

            size = _entries.Size;
            if (time.GetElapsedTime(told) > Telling)
            {
                told = time.GetTimestamp();
                logger.MirrorFollows(name, size, head.Content.TreeSize);
            }
        }

        store.Index();
        if (store.Writer.FindRepeat(known?.Content.TreeSize ?? 0, head.Content.TreeSize) is var (again, first))
        {
            _repeat = new RepeatedEntry(first, again);
            return await _repeat.RefuseAsync(log, store, head, cancellation);
        }

        return Finish(known, head, cancellation);
    }

    /// <summary>Builds the map of all entries under the head. The mirror proves under that head only if the map's root matches.</summary>
    private string? Finish(VerifiedTreeHead? known, VerifiedTreeHead head, CancellationToken cancellation)
    {
        var isRight = store.Write(() =>
        {
            var (root, _) = MirrorMap.Extend(store, known?.Content.TreeSize ?? 0, head.Content.TreeSize, cancellation);
            store.PutHead(head);
            return root == head.Content.MapRoot;
        });
        if (!isRight)
        {
            _refused = head.Content;
            return $"the {head.Content.TreeSize} entries under its signed head do not give the map of that head: the log "
                + $"contradicts itself, and only entries its mirror verified earlier stay trusted";
        }

        if (known is null || head.Content.TreeSize - known.Content.TreeSize > 1000)
        {
            store.Settle();
            logger.MirrorIsThere(name, head.Content.TreeSize);
        }

        return null;
    }

    /// <summary>Reads the stored head and verifies its signature again.</summary>
    private VerifiedTreeHead? HeadOf(MirrorReader reader)
    {
        var message = reader.Head;
        if (message is null)
        {
            return null;
        }

        if (_head is not { } last || !last.ToMessage().Equals(message))
        {
            _head = SignedTreeHead.TryRead(message, out var read, out _) && log.Key.TryVerify(read, out var verified, out _) ? verified
                : null;
        }

        return _head;
    }
}
