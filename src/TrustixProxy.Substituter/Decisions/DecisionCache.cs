using System.Text;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Caches decisions in memory and on disk. Returns only decisions sealed by us under this policy, unexpired, and based on electors
/// still trusted.</summary>
internal sealed class DecisionCache
{
    private readonly DecisionMemory _memory;
    private readonly DecisionStores _stores;
    private readonly DecisionTrust _trust;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly PendingWrites _pending;
    private readonly (Digest Policy, string Key, long Memory) _kind;
    private volatile DecisionCache? _heir;

    /// <param name="stores">Stores for decisions, in addition to memory.</param>
    /// <param name="trust">Under which trust they are made, and hold.</param>
    /// <param name="memory">Maximum bytes in memory.</param>
    /// <param name="before">The cache being replaced; its memory is reused if policy, key and size are unchanged.</param>
    public DecisionCache(
        DecisionStores stores, DecisionTrust trust, long memory, TimeProvider time, ILogger logger, DecisionCache? before = null)
    {
        (_stores, _trust, _time, _logger) = (stores, trust, time, logger);
        _kind = (trust.Policy.Identity, trust.Signer.PublicKey.ToString(), memory);
        _memory = before is not null && before._kind == _kind ? before._memory : new DecisionMemory(memory);
        _pending = before?._pending ?? new PendingWrites(stores.Writer, stores.Disk);
    }

    /// <summary>Returns the decision on a digest, if a valid one is stored.</summary>
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

    /// <summary>Returns the decision from memory only, allocation-free.</summary>
    public Decision? FindInMemory(ReadOnlySpan<char> digest) => _memory.Find(digest) is { } decision && Holds(decision) ? decision : null;

    /// <summary>Returns the record that <see cref="Find"/> would use, for no request: it is not counted, and stays where it is.</summary>
    public DecisionRecord? Peek(StorePathDigest digest) => FindInMemory(digest.ToString())?.Record
        ?? (ReadStored(digest).Bytes is { } bytes && Open(digest, bytes) is { Claim: not null } record && Holds(new Decision(record, []))
            ? record : null);

    /// <summary>Digests of the newest decisions on this disk.</summary>
    /// <param name="most">Maximum number.</param>
    public IReadOnlyList<StorePathDigest> Newest(int most)
    {
        IReadOnlyList<string> digests = [];
        TryRead(() => digests = _stores.Disk.Newest(most));
        return [.. digests.Select(text => StorePathDigest.TryParse(text, out var digest) ? digest : null).OfType<StorePathDigest>()];
    }

    /// <summary>Stores a served decision and its proofs in memory, on disk and for other replicas. Its signature is recorded before it is
    /// sent, unless the disk hangs.</summary>
    /// <exception cref="ArgumentException">It is a refusal, which belongs in <see cref="RefusalMemory"/>.</exception>
    public Task<Decision> KeepAsync(StorePathDigest digest, DecisionRecord record, StorePath? path, Verdict? verdict)
    {
        if (record.Claim is null)
        {
            throw new ArgumentException("Refusals are not kept.", nameof(record));
        }

        // computed by the writer, so that no answer waits for it
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

    /// <summary>Adopts another replica's decision from untrusted bytes. Null if it lacks our seal, is no longer valid, or is not newer than
    /// ours.</summary>
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

    /// <summary>Marks this cache as replaced, while its last requests are still in flight.</summary>
    public void HandOver(DecisionCache heir) => _heir = heir;

    /// <summary>Files of debug information.</summary>
    public DebugArchives Archives => _stores.Archives;

    /// <summary>Bytes of the decisions in memory.</summary>
    public long MemorySize => _memory.Size;

    /// <summary>Returns the proofs of the last decision on a digest, as JSON; null if not stored.</summary>
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
            return null; // the disk has a different record
        }
    }

    /// <summary>Voids all earlier decisions on a digest, on all replicas; the next request decides again.</summary>
    public void Forget(StorePathDigest digest)
    {
        _heir?.Forget(digest); // a late dissent at one replica voids the other's decision
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

        _memory.Remove(digest); // last, so that a concurrent reader of the old record cannot restore it
    }

    /// <summary>Deletes expired records from disk.</summary>
    public void Prune()
    {
        TryRead(() => _stores.Disk.Prune(_time.GetUtcNow()));
        _stores.Archives.Prune(_time.GetUtcNow());
    }

    /// <summary>Renders the response body of a decision.</summary>
    public Decision Render(DecisionRecord record, bool wasCutShort = false)
    {
        var text = record.Claim is null ? record.Sentence + "\n" : _trust.Signer.Render(record).Text;
        return new Decision(record, Encoding.UTF8.GetBytes(text), wasCutShort);
    }

    /// <summary>Stores a decision, rendering it while its record is written.</summary>
    private async Task<Decision> KeepAsync(StorePathDigest digest, DecisionRecord record, SharedDecision kept, Func<Decision> render)
    {
        var replaces = ReadStored(digest) is { IsRead: false } or { Bytes: not null }; // the replaced decision must not return
        var change = new PendingDecision(kept.Record, kept.Bundle, record.ExpiresAt);
        var signing = record.IsSigned && kept.Bundle is { } bundle
            ? _stores.Writer.Write(
                () =>
                {
                    _stores.Audit.Append(record, _trust.Policy.Identity, bundle.Hash.Value);
                    change.WriteRecord(_stores.Disk, digest); // together, so that a served decision survives a crash
                },
                isDue: true)
            : Task.CompletedTask;
        var decision = render();
        await _stores.Writer.WaitAsync(signing, _time);
        _stores.Archives.Note(record);
        _pending.Write(digest, change, replaces); // before memory, else a reader could still find the old record on disk
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

    /// <summary>Reads the record of a digest and whether the disk was readable.</summary>
    private (bool IsRead, byte[]? Bytes) ReadStored(StorePathDigest digest)
    {
        if (_pending.Find(digest) is { } change)
        {
            return (true, change.Record);
        }

        byte[]? bytes = null;
        return (TryRead(() => bytes = _stores.Disk.Find(digest)), bytes);
    }

    /// <summary>Opens a record if it has our seal and was not voided.</summary>
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

    /// <summary>Whether the policy grants a kept decision again: with the claims of a later poll, without votes that lost trust.</summary>
    public bool StandsBeside(DecisionRecord kept, Verdict later)
    {
        var (revoked, now) = (_trust.Revoked(), _time.GetUtcNow());
        return kept.StandsBeside(_trust.Policy, later, _trust.Frozen(), vote =>
            _trust.Witnessed.CountsUntil(vote) < now || revoked.Covers(vote.Elector, vote.Position, _trust.ProvenHeads));
    }

    private bool Holds(Decision decision)
    {
        var now = _time.GetUtcNow();
        return decision.Record.ExpiresAt > now && decision.Stands(_trust, now);
    }

    /// <summary>Runs a disk operation; returns false if the disk refused, which loses only stored decisions.</summary>
    private bool TryRead(Action act)
    {
        var refusal = DiskRefusal.Of(act);
        if (refusal is not null)
        {
            _logger.DiskRefused(refusal);
        }

        return refusal is null;
    }
}
