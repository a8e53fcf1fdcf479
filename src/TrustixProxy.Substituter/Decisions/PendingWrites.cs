using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Changes of decisions that the disk has not taken yet; until it has, they are read from here. One for all generations of a
/// process.</summary>
/// <remarks>A void takes trust away, so it is never lost: it stays here until it is on the disk, and is tried again. When too many wait,
/// one mark in their place says that no decision
/// from before it is believed; the disk is then no longer read for those.</remarks>
internal sealed class PendingWrites
{
    private readonly ConcurrentDictionary<StorePathDigest, PendingDecision> _changes = new();
    private readonly StateWriter _writer;
    private readonly DecisionStore _store;
    private readonly int _maxVoids;
    private int _voids;
    private long _distrusted; // ticks of UTC

    /// <param name="writer">Writes to the disk.</param>
    /// <param name="store">The disk.</param>
    /// <param name="maxVoids">How many voids wait at most.</param>
    /// <exception cref="SqliteException">The disk cannot be read.</exception>
    public PendingWrites(StateWriter writer, DecisionStore store, int maxVoids = 10_000)
    {
        (_writer, _store, _maxVoids) = (writer, store, maxVoids);
        _distrusted = store.DistrustedUntil().UtcTicks;
    }

    /// <summary>Up to when decisions that were made are not believed when they are read from a store.</summary>
    public DateTimeOffset DistrustedUntil => new(Interlocked.Read(ref _distrusted), TimeSpan.Zero);

    /// <summary>The change that waits for a digest; null when none does.</summary>
    public PendingDecision? Find(StorePathDigest digest) => _changes.GetValueOrDefault(digest);

    /// <summary>Writes a decision soon. If the disk refuses it is dropped, unless it must not be.</summary>
    /// <param name="digest">On what.</param>
    /// <param name="change">The decision.</param>
    /// <param name="mustNotBeLost">Whether what it replaces must not come back.</param>
    public void Write(StorePathDigest digest, PendingDecision change, bool mustNotBeLost)
    {
        _changes[digest] = change;
        _ = _writer.Write(() => WriteNewest(digest, change), mustNotBeLost)
            .ContinueWith(_ => End(digest, change, mustNotBeLost), TaskScheduler.Default);
    }

    /// <summary>Writes a void: it holds from now on, whether or not the disk takes it.</summary>
    /// <param name="digest">Of what.</param>
    /// <param name="change">The void.</param>
    /// <param name="now">The time: where too many wait, nothing from before it is believed.</param>
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

    /// <summary>What a later change has overtaken is not written any more: that one may be on the disk already.</summary>
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

/// <summary>A change that the disk has not taken yet; compared by reference.</summary>
/// <param name="record">The sealed record.</param>
/// <param name="bundle">What it rests on; null when there is nothing.</param>
/// <param name="expiresAt">When the disk may drop it.</param>
internal sealed class PendingDecision(byte[] record, SharedBundle? bundle, DateTimeOffset expiresAt)
{
    private volatile bool _isWritten;

    /// <summary>The sealed record.</summary>
    public byte[] Record => record;

    /// <summary>What it rests on.</summary>
    public SharedBundle? Bundle => bundle;

    /// <summary>Whether the disk has taken it.</summary>
    public bool IsWritten => _isWritten;

    public void WriteRecord(DecisionStore store, StorePathDigest digest) => store.Keep(digest, record, expiresAt);

    public void Write(DecisionStore store, StorePathDigest digest)
    {
        WriteRecord(store, digest); // again, if it went ahead: what was to be written before it may have come after it
        if (bundle is not null)
        {
            store.KeepBundle(digest, bundle.Packed.Value, expiresAt);
        }

        _isWritten = true;
    }
}
