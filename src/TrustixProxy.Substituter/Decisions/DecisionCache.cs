using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Decisions that were made before: in memory, and on disk. What comes out was sealed by us under this policy, has not expired,
/// and still stands on voters who are believed.</summary>
internal sealed class DecisionCache
{
    /// <summary>How long an answer waits at the most for its signature to be on record, while the disk is not known to be stuck.</summary>
    private static readonly TimeSpan AuditWait = TimeSpan.FromMilliseconds(500);

    private readonly DecisionMemory _memory;
    private readonly DecisionStores _stores;
    private readonly DecisionTrust _trust;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly PendingWrites _pending;
    private readonly (Digest Policy, string Key, long Memory) _kind;
    private volatile DecisionCache? _heir;

    /// <param name="stores">Where decisions are kept beside memory.</param>
    /// <param name="trust">Under which trust they are made, and hold.</param>
    /// <param name="memory">The most bytes that are kept in memory.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Logs refused records.</param>
    /// <param name="before">The cache that this one replaces: its memory is kept where policy, key and size are the same.</param>
    public DecisionCache(
        DecisionStores stores, DecisionTrust trust, long memory, TimeProvider time, ILogger logger, DecisionCache? before = null)
    {
        (_stores, _trust, _time, _logger) = (stores, trust, time, logger);
        _kind = (trust.Policy.Identity, trust.Signer.PublicKey.ToString(), memory);
        _memory = before is not null && before._kind == _kind ? before._memory : new DecisionMemory(memory);
        _pending = before?._pending ?? new PendingWrites(stores.Writer, stores.Disk);
    }

    /// <summary>The decision on a digest, if one was made that still holds.</summary>
    public Decision? Find(StorePathDigest digest)
    {
        if (FindInMemory(digest.ToString()) is { } known)
        {
            DecisionMetrics.LookedUp(CacheTier.Memory, LookupResult.Hit);
            return known;
        }

        DecisionMetrics.LookedUp(CacheTier.Memory, LookupResult.Miss);
        var version = _memory.Version;
        if (FindStored(digest) is not { } stored)
        {
            return null;
        }

        _memory.Refill(digest, stored, version);
        return stored;
    }

    /// <summary>The same without a look at the disk, and without garbage.</summary>
    public Decision? FindInMemory(ReadOnlySpan<char> digest) => _memory.Find(digest) is { } decision && Holds(decision) ? decision : null;

    /// <summary>Keeps what is served in memory, on disk and for other replicas, with what it rests on; a signature is recorded before
    /// anyone sees it, if the disk is not stuck.</summary>
    /// <exception cref="ArgumentException">It is a refusal: those are kept nowhere but in <see cref="RefusalMemory"/>.</exception>
    public Task<Decision> KeepAsync(StorePathDigest digest, DecisionRecord record, StorePath? path, Verdict? verdict)
    {
        if (record.Claim is null)
        {
            throw new ArgumentException("Refusals are not kept.", nameof(record));
        }

        // by whoever writes it: no answer waits for that
        var bundle = path is null || verdict is null ? null
            : new Lazy<DecisionBundle>(() => DecisionBundle.Of(path, record, verdict, _trust.Policy));
        var kept = new SharedDecision(_trust.Seal.Seal(digest, record), bundle is null ? null
            : new SharedBundle(new Lazy<Digest>(() => bundle.Value.Hash), new Lazy<byte[]>(() => PackedBundle.Pack(bundle.Value))));
        return KeepAsync(
            digest, record, kept,
            () =>
            {
                _stores.Shared?.Keep(digest, kept, record.ExpiresAt - _time.GetUtcNow());
                return Render(record);
            });
    }

    /// <summary>Takes in what another replica has decided: foreign bytes. Null when it is no decision of ours, holds no longer, or is not
    /// newer than what was decided here.</summary>
    public async Task<Decision?> AdoptAsync(StorePathDigest digest, SharedDecision shared)
    {
        if (Open(digest, shared.Record) is not { Claim: not null } record || (record.IsSigned && shared.Bundle is null)
            || (ReadStored(digest).Bytes is { } bytes && Open(digest, bytes)?.DecidedAt >= record.DecidedAt))
        {
            DecisionMetrics.LookedUp(CacheTier.Redis, LookupResult.Rejected);
            return null;
        }

        var decision = Render(record);
        var isBelieved = Holds(decision);
        DecisionMetrics.LookedUp(CacheTier.Redis, isBelieved ? LookupResult.Hit : LookupResult.Rejected);
        return isBelieved ? await KeepAsync(digest, record, shared, () => decision) : null;
    }

    /// <summary>Another one has taken the place of this one, whose last requests are still under way.</summary>
    public void HandOver(DecisionCache heir) => _heir = heir;

    /// <summary>How many bytes the decisions in memory take.</summary>
    public long MemorySize => _memory.Size;

    /// <summary>What the last decision on a digest rests on, as JSON; null when none is kept.</summary>
    public byte[]? FindBundle(StorePathDigest digest)
    {
        byte[]? packed = null;
        if (_pending.Find(digest) is { } change)
        {
            packed = change.Bundle?.Packed.Value;
        }
        else
        {
            TryRead(() => packed = _stores.Disk.FindBundle(digest));
        }

        try
        {
            return packed is null ? null : PackedBundle.Unpack(packed);
        }
        catch (InvalidDataException)
        {
            return null; // the disk has something else
        }
    }

    /// <summary>Voids the decision on a digest, on all replicas: the next request decides anew, and none that was made before is
    /// believed.</summary>
    public void Forget(StorePathDigest digest)
    {
        _heir?.Forget(digest); // a dissent that comes late to the one voids what the other believes
        var (isRead, bytes) = ReadStored(digest);
        var now = _time.GetUtcNow();
        var record = bytes is null ? null : Open(digest, bytes);
        if (record is { Claim: not null } || !isRead)
        {
            var over = DecisionRecord.Void(record?.DecidedAt > now ? record.DecidedAt : now); // another replica's clock may be ahead
            var kept = new SharedDecision(_trust.Seal.Seal(digest, over), null);
            _stores.Shared?.Keep(digest, kept, over.ExpiresAt - now);
            _pending.WriteVoid(digest, new PendingDecision(kept.Record, null, over.ExpiresAt), now);
        }

        _memory.Remove(digest); // last: a reader that saw the old record meanwhile cannot put it back
    }

    /// <summary>Drops from the disk what has expired.</summary>
    public void Prune() => TryRead(() => _stores.Disk.Prune(_time.GetUtcNow()));

    /// <summary>The answer's bytes of a decision.</summary>
    public Decision Render(DecisionRecord record, bool wasCutShort = false)
    {
        var text = record.Claim is null ? record.Sentence + "\n" : _trust.Signer.Render(record).Text;
        return new Decision(record, Encoding.UTF8.GetBytes(text), wasCutShort);
    }

    /// <summary>Keeps a decision; it is rendered while the disk takes its record.</summary>
    private async Task<Decision> KeepAsync(StorePathDigest digest, DecisionRecord record, SharedDecision kept, Func<Decision> render)
    {
        var replaces = ReadStored(digest) is { IsRead: false } or { Bytes: not null }; // what it takes the place of must not come back
        var change = new PendingDecision(kept.Record, kept.Bundle, record.ExpiresAt);
        var signing = record.IsSigned && kept.Bundle is { } bundle
            ? _stores.Writer.Write(
                () =>
                {
                    _stores.Audit.Append(record, _trust.Policy.Identity, bundle.Hash.Value);
                    change.WriteRecord(_stores.Disk, digest); // with it: what has been served is not decided again after a crash
                },
                isDue: true)
            : Task.CompletedTask;
        var decision = render();
        await (signing.IsCompleted || _stores.Writer.IsStuck ? Task.CompletedTask : Task.WhenAny(signing, Task.Delay(AuditWait, _time)));
        _pending.Write(digest, change, replaces); // before it is in memory: else a reader could still find the one before on the disk
        _memory.Set(digest, decision);
        return decision;
    }

    private Decision? FindStored(StorePathDigest digest)
    {
        var bytes = ReadStored(digest).Bytes;
        var decision = bytes is not null && Open(digest, bytes) is { Claim: not null } record ? Render(record) : null;
        var isBelieved = decision is not null && Holds(decision);
        DecisionMetrics.LookedUp(CacheTier.Disk, isBelieved ? LookupResult.Hit : bytes is null ? LookupResult.Miss : LookupResult.Rejected);
        return isBelieved ? decision : null;
    }

    /// <summary>What is kept for a digest, and whether the disk could be read.</summary>
    private (bool IsRead, byte[]? Bytes) ReadStored(StorePathDigest digest)
    {
        if (_pending.Find(digest) is { } change)
        {
            return (true, change.Record);
        }

        byte[]? bytes = null;
        return (TryRead(() => bytes = _stores.Disk.Find(digest)), bytes);
    }

    /// <summary>The record that these bytes are, if it is ours and not from a time of which nothing is believed.</summary>
    private DecisionRecord? Open(StorePathDigest digest, byte[] bytes)
    {
        if (_trust.Seal.TryOpen(digest, bytes, out var record, out var error))
        {
            return record.DecidedAt > _pending.DistrustedUntil ? record : null;
        }

        DecisionMetrics.RecordRefused(error);
        _logger.RecordRefused(digest.ToString(), error);
        return null;
    }

    private bool Holds(Decision decision) =>
        decision.Record.ExpiresAt > _time.GetUtcNow()
        && decision.StandsWithout(_trust.Frozen(), _trust.Revoked(), _trust.ProvenHeads, _trust.Policy);

    /// <summary>A disk that refuses costs memory of the past, and nothing else; false when it does.</summary>
    private bool TryRead(Action act)
    {
        try
        {
            act();
            return true;
        }
        catch (SqliteException exception)
        {
            _logger.DiskRefused(exception.Message);
            return false;
        }
    }
}
