using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Traces;

/// <summary>Keeps agreements on build traces on disk, trusted only after their seal is verified.</summary>
internal sealed class TraceStore
{
    private readonly StateWriter _state;
    private readonly TraceSeal _seal;

    public TraceStore(StateWriter state, TraceSeal seal)
    {
        (_state, _seal) = (state, seal);
        state.Database.Ensure("""
            CREATE TABLE IF NOT EXISTS build_trace (key TEXT PRIMARY KEY, record BLOB NOT NULL, expires_at INTEGER NOT NULL);
            CREATE INDEX IF NOT EXISTS build_trace_expires_at ON build_trace (expires_at);
            """);
    }

    /// <summary>Finds the agreement on a key; null when none is kept under this policy, or it has expired.</summary>
    public TraceRecord? Find(TraceKey key, DateTimeOffset now)
    {
        byte[]? bytes = null;
        DiskRefusal.Of(() => bytes = _state.Database.First(
            "SELECT record FROM build_trace WHERE key = $key", row => row.Bytes(0), key.Text)); // a disk error only costs a poll
        return _seal.TryOpen(key, bytes, out var record) && record.ExpiresAt > now ? record : null;
    }

    /// <summary>Keeps an agreement.</summary>
    public void Keep(TraceRecord record)
    {
        var sealedRecord = _seal.Seal(record);
        _state.Write(() => _state.Database.Execute(
            "INSERT OR REPLACE INTO build_trace (key, record, expires_at) VALUES ($key, $record, $expires)",
            record.Key.Text, sealedRecord, record.ExpiresAt.ToUnixTimeMilliseconds()));
    }

    /// <summary>Deletes expired records. This expiry is only for cleanup; the authoritative one is under the seal.</summary>
    public void Prune(DateTimeOffset now) => _state.Write(() => _state.Database.Execute(
        "DELETE FROM build_trace WHERE expires_at < $now", now.ToUnixTimeMilliseconds()));
}
