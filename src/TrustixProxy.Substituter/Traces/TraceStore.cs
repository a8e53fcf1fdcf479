using StackExchange.Redis;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Redis;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Traces;

/// <summary>Keeps agreements on build traces on disk, and shares them between replicas. They are trusted only after their seal is
/// verified.</summary>
/// <remarks>In Redis an agreement is <c>t:POLICY:KEY</c>, and expires there when it does here.</remarks>
internal sealed class TraceStore
{
    /// <summary>Maximum bytes of a record, far above a genuine one.</summary>
    private const int MaxRecord = 4096;

    private readonly StateWriter _state;
    private readonly TraceSeal _seal;
    private readonly SignatureAudit _audit;
    private readonly Policy _policy;
    private readonly RedisConnection? _redis;
    private readonly TimeProvider _time;

    /// <param name="audit">Records signatures.</param>
    /// <param name="redis">The Redis that replicas share; null without one.</param>
    public TraceStore(
        StateWriter state, TraceSeal seal, SignatureAudit audit, Policy policy, RedisConnection? redis, TimeProvider time)
    {
        (_state, _seal, _audit, _policy, _redis, _time) = (state, seal, audit, policy, redis, time);
        state.Database.Ensure("""
            CREATE TABLE IF NOT EXISTS build_trace (key TEXT PRIMARY KEY, record BLOB NOT NULL, expires_at INTEGER NOT NULL);
            CREATE INDEX IF NOT EXISTS build_trace_expires_at ON build_trace (expires_at);
            """);
    }

    /// <summary>Finds the agreement on a key; null when none is kept under this policy, or it has expired.</summary>
    public TraceRecord? Find(TraceKey key)
    {
        byte[]? bytes = null;
        DiskRefusal.Of(() => bytes = _state.Database.First(
            "SELECT record FROM build_trace WHERE key = $key", row => row.Bytes(0), key.Text)); // a disk error only costs a poll
        return Open(key, bytes);
    }

    /// <summary>Finds the agreement of another replica on a key, and keeps it here; null when there is none.</summary>
    public async Task<TraceRecord?> AdoptAsync(TraceKey key)
    {
        var reply = _redis is null ? default : await _redis.ReadAsync(KeyOf(_redis, key), MaxRecord);
        var record = Open(key, reply.Value);
        if (record is not null)
        {
            Write(record, reply.Value!);
        }

        return record;
    }

    /// <summary>Keeps an agreement, and shares it.</summary>
    public void Keep(TraceRecord record)
    {
        var bytes = _seal.Seal(record);
        Write(record, bytes);
        if (_redis is { } redis && record.ExpiresAt - _time.GetUtcNow() is var lifetime && lifetime > TimeSpan.Zero)
        {
            var key = KeyOf(redis, record.Key);
            _ = redis.AskAsync(key, database => database.StringSetAsync(key, bytes, lifetime));
        }
    }

    /// <summary>Records that an agreement is signed now. On return that is written, unless the disk is slow.</summary>
    public Task AuditAsync(TraceRecord record)
    {
        var now = _time.GetUtcNow();
        return _state.WaitAsync(_state.Write(() => _audit.Append(record, _policy.Identity, now), isDue: true), _time);
    }

    /// <summary>Deletes expired records. This expiry is only for cleanup; the authoritative one is under the seal.</summary>
    public void Prune() => _state.Write(() => _state.Database.Execute(
        "DELETE FROM build_trace WHERE expires_at < $now", _time.GetUtcNow().ToUnixTimeMilliseconds()));

    private TraceRecord? Open(TraceKey key, byte[]? bytes) =>
        _seal.TryOpen(key, bytes, out var record) && record.ExpiresAt > _time.GetUtcNow() ? record : null;

    private void Write(TraceRecord record, byte[] bytes) => _state.Write(() => _state.Database.Execute(
        "INSERT OR REPLACE INTO build_trace (key, record, expires_at) VALUES ($key, $record, $expires)",
        record.Key.Text, bytes, record.ExpiresAt.ToUnixTimeMilliseconds()));

    private RedisKey KeyOf(RedisConnection redis, TraceKey key) => redis.Key($"t:{_policy.Identity.ToString()[..16]}:{key.Text}");
}
