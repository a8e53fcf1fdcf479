using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using TrustixProxy.Consensus;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Operations;
using TrustixProxy.Substituter.Substitution;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Decisions that were made before: in memory, and on disk. What comes out was sealed by us under this policy, has not expired, and still stands on voters who are believed.</summary>
internal sealed class DecisionCache : IDisposable
{
    /// <summary>How long an answer waits at the most for its signature to be on record.</summary>
    private static readonly TimeSpan AuditWait = TimeSpan.FromMilliseconds(50);

    private readonly DecisionMemory _memory;
    private readonly DecisionStore _store;
    private readonly SignatureAudit _audit;
    private readonly DecisionSeal _seal;
    private readonly Policy _policy;
    private readonly NarInfoSigner _signer;
    private readonly Func<FrozenSet<string>> _frozen;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<StorePathDigest, Unwritten> _unwritten = new();
    private readonly StateWriter _writer;

    /// <param name="store">The disk.</param>
    /// <param name="audit">Where each signature is recorded.</param>
    /// <param name="seal">What makes and opens its records.</param>
    /// <param name="policy">Under which decisions are made.</param>
    /// <param name="signer">What makes narinfos of agreements.</param>
    /// <param name="frozen">Names of the electors that are no longer believed; the same set while they are the same. Asked at every read.</param>
    /// <param name="memory">The most bytes that are kept in memory.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where refused records are told.</param>
    public DecisionCache(
        DecisionStore store, SignatureAudit audit, DecisionSeal seal, Policy policy, NarInfoSigner signer, Func<FrozenSet<string>> frozen, long memory, TimeProvider time, ILogger logger)
    {
        (_store, _audit, _seal, _policy, _signer, _frozen, _time, _logger) = (store, audit, seal, policy, signer, frozen, time, logger);
        _memory = new DecisionMemory(memory);
        _writer = new StateWriter(exception => logger.DiskRefused(exception.Message));
    }

    /// <summary>The decision on a digest, if one was made that still holds.</summary>
    public Decision? Find(StorePathDigest digest)
    {
        if (FindInMemory(digest.ToString()) is { } known)
        {
            return known;
        }

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

    /// <summary>Keeps a decision in memory and on disk, with what it rests on; a signature is recorded before anyone sees it, if the disk is not stuck.</summary>
    public async Task<Decision> KeepAsync(StorePathDigest digest, DecisionRecord record, StorePath? path, Verdict? verdict)
    {
        var bundle = path is null || verdict is null ? null : DecisionBundle.Of(path, record, verdict, _policy);
        if (record.IsSigned && bundle is not null)
        {
            await Task.WhenAny(_writer.Write(() => _audit.Append(record, _policy.Identity, bundle.Hash), isDue: true), Task.Delay(AuditWait, _time));
        }

        var decision = Render(record);
        _memory.Set(digest, decision);
        Write(digest, new Unwritten(_seal.Seal(digest, record), bundle is null ? null : PackedBundle.Pack(bundle), record.ExpiresAt));
        return decision;
    }

    /// <summary>What the last decision on a digest rests on, as JSON; null when none is kept.</summary>
    public byte[]? FindBundle(StorePathDigest digest)
    {
        byte[]? packed = null;
        if (_unwritten.TryGetValue(digest, out var change))
        {
            packed = change.Bundle;
        }
        else
        {
            OnDisk(() => packed = _store.FindBundle(digest));
        }

        return packed is null ? null : PackedBundle.Unpack(packed);
    }

    /// <summary>Forgets the decision on a digest: the next request decides anew.</summary>
    public void Forget(StorePathDigest digest)
    {
        _memory.Remove(digest);
        Write(digest, new Unwritten(null, null, default));
    }

    /// <summary>Drops from the disk what has expired.</summary>
    public void Prune() => OnDisk(() => _store.Prune(_time.GetUtcNow()));

    /// <summary>The answer's bytes of a decision.</summary>
    public Decision Render(DecisionRecord record, bool wasCutShort = false)
    {
        var text = record.Claim is null ? record.Sentence + "\n" : _signer.Render(record).Text;
        return new Decision(record, Encoding.UTF8.GetBytes(text), wasCutShort);
    }

    public void Dispose()
    {
        _writer.Dispose();
        _store.Dispose();
        _audit.Dispose();
    }

    /// <summary>Has the disk take a change soon; no request waits for it. Until then it is read from here.</summary>
    private void Write(StorePathDigest digest, Unwritten change)
    {
        _unwritten[digest] = change;
        _ = _writer.Write(() => change.Write(_store, digest)).ContinueWith(
            _ => _unwritten.TryRemove(new KeyValuePair<StorePathDigest, Unwritten>(digest, change)), TaskScheduler.Default);
    }

    private Decision? FindStored(StorePathDigest digest)
    {
        byte[]? bytes = null;
        if (_unwritten.TryGetValue(digest, out var change))
        {
            bytes = change.Record;
        }
        else
        {
            OnDisk(() => bytes = _store.Find(digest));
        }

        if (bytes is null)
        {
            return null;
        }

        if (!_seal.TryOpen(digest, bytes, out var record, out var error))
        {
            _logger.RecordRefused(digest.ToString(), error);
            return null;
        }

        return Render(record) is var decision && Holds(decision) ? decision : null;
    }

    private bool Holds(Decision decision) => decision.Record.ExpiresAt > _time.GetUtcNow() && decision.StandsWithout(_frozen(), _policy);

    /// <summary>A disk that refuses costs memory of the past, and nothing else.</summary>
    private void OnDisk(Action act)
    {
        try
        {
            act();
        }
        catch (SqliteException exception)
        {
            _logger.DiskRefused(exception.Message);
        }
    }

    /// <summary>A change that the disk has not taken yet; compared by reference.</summary>
    private sealed class Unwritten(byte[]? record, byte[]? bundle, DateTimeOffset expiresAt)
    {
        /// <summary>The sealed record; null when it is to be forgotten.</summary>
        public byte[]? Record => record;

        /// <summary>What it rests on, packed.</summary>
        public byte[]? Bundle => bundle;

        public void Write(DecisionStore store, StorePathDigest digest)
        {
            if (record is null)
            {
                store.Forget(digest);
            }
            else
            {
                store.Keep(digest, record, bundle, expiresAt);
            }
        }
    }
}
