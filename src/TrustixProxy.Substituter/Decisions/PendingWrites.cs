using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Holds changes of decisions not yet on disk, and serves reads until they are. Shared by all configurations of a
/// process.</summary>
/// <remarks>A void withdraws trust, so it is never lost: it stays here and is retried until it is on disk. If too many wait, one mark
/// replaces them and voids all earlier decisions; those are then no longer read from disk.</remarks>
internal sealed class PendingWrites
{
    private readonly ConcurrentDictionary<StorePathDigest, PendingDecision> _changes = new();
    private readonly StateWriter _writer;
    private readonly DecisionStore _store;
    private readonly int _maxVoids;
    private int _voids;
    private long _distrusted; // ticks of UTC

    /// <param name="writer">Writes to the disk.</param>
    /// <param name="maxVoids">Maximum waiting voids.</param>
    /// <exception cref="SqliteException">The disk cannot be read.</exception>
    public PendingWrites(StateWriter writer, DecisionStore store, int maxVoids = 10_000)
    {
        (_writer, _store, _maxVoids) = (writer, store, maxVoids);
        _distrusted = store.DistrustedUntil().UtcTicks;
    }

    /// <summary>Time up to which decisions read from a store are void.</summary>
    public DateTimeOffset DistrustedUntil => new(Interlocked.Read(ref _distrusted), TimeSpan.Zero);

    /// <summary>Returns the pending change of a digest; null if there is none.</summary>
    public PendingDecision? Find(StorePathDigest digest) => _changes.GetValueOrDefault(digest);

    /// <summary>Queues a decision for writing. A failed write is dropped, unless it is mandatory.</summary>
    /// <param name="mustNotBeLost">Whether the write is mandatory, because the replaced decision must not return.</param>
    public void Write(StorePathDigest digest, PendingDecision change, bool mustNotBeLost)
    {
        _changes[digest] = change;
        _ = _writer.Write(() => WriteNewest(digest, change), mustNotBeLost)
            .ContinueWith(_ => End(digest, change, mustNotBeLost), TaskScheduler.Default);
    }

    /// <summary>Queues a void; it is in force immediately, whether or not the write succeeds.</summary>
    /// <param name="now">Current time; if too many voids wait, all decisions before it are void.</param>
    public void WriteVoid(StorePathDigest digest, PendingDecision change, DateTimeOffset now)
    {
        if (Interlocked.Increment(ref _voids) <= _maxVoids)
        {
            _changes[digest] = change;
            _ = _writer.Write(() => WriteNewest(digest, change), isDue: true)
                .ContinueWith(_ => EndVoid(digest, change), TaskScheduler.Default);
            return;
        }

        Interlocked.Decrement(ref _voids);
        DistrustAll(now);
        _changes.TryRemove(digest, out _);
    }

    private void DistrustAll(DateTimeOffset now)
    {
        var before = Interlocked.Read(ref _distrusted);
        if (now.UtcTicks > before && Interlocked.CompareExchange(ref _distrusted, now.UtcTicks, before) == before)
        {
            _writer.Write(() => _store.Distrust(DistrustedUntil), isDue: true);
        }
    }

    /// <summary>Skips a change superseded by a later one, which may already be on disk.</summary>
    private void WriteNewest(StorePathDigest digest, PendingDecision change)
    {
        if (ReferenceEquals(_changes.GetValueOrDefault(digest), change))
        {
            change.Write(_store, digest);
        }
    }

    private void End(StorePathDigest digest, PendingDecision change, bool mustNotBeLost)
    {
        if (change.IsWritten || !mustNotBeLost)
        {
            _changes.TryRemove(KeyValuePair.Create(digest, change));
        }
    }

    private void EndVoid(StorePathDigest digest, PendingDecision change)
    {
        if (change.IsWritten || !ReferenceEquals(_changes.GetValueOrDefault(digest), change))
        {
            _changes.TryRemove(KeyValuePair.Create(digest, change));
            Interlocked.Decrement(ref _voids);
        }
    }
}

/// <summary>A change not yet on disk; compared by reference.</summary>
/// <param name="bundle">Its proofs; null if there are none.</param>
/// <param name="expiresAt">Time after which the disk may delete it.</param>
internal sealed class PendingDecision(byte[] record, SharedBundle? bundle, DateTimeOffset expiresAt)
{
    private volatile bool _isWritten;

    /// <summary>The sealed record.</summary>
    public byte[] Record => record;

    /// <summary>Its proofs.</summary>
    public SharedBundle? Bundle => bundle;

    /// <summary>Whether it is on disk.</summary>
    public bool IsWritten => _isWritten;

    public void WriteRecord(DecisionStore store, StorePathDigest digest) => store.Keep(digest, record, expiresAt);

    public void Write(DecisionStore store, StorePathDigest digest)
    {
        WriteRecord(store, digest); // rewrite if it went first: an earlier write may have landed after it
        if (bundle is not null)
        {
            store.KeepBundle(digest, bundle.Packed.Value, expiresAt);
        }

        _isWritten = true;
    }
}
