using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Sealed decisions on disk: bytes that are believed only after the seal was opened. Several processes may share the
/// file.</summary>
/// <remarks>Not in tables WITHOUT ROWID: SQLite compares whole rows of those, and a look for one would read what does not fit the pages of
/// all that it passes.</remarks>
internal sealed class DecisionStore
{
    private readonly StateDatabase _database;

    public DecisionStore(StateDatabase database)
    {
        _database = database;
        database.Ensure("""
            CREATE TABLE IF NOT EXISTS decision (digest TEXT PRIMARY KEY, record BLOB NOT NULL, expires_at INTEGER NOT NULL);
            CREATE INDEX IF NOT EXISTS decision_expires_at ON decision (expires_at);
            CREATE TABLE IF NOT EXISTS bundle (digest TEXT PRIMARY KEY, bundle BLOB NOT NULL, expires_at INTEGER NOT NULL);
            CREATE INDEX IF NOT EXISTS bundle_expires_at ON bundle (expires_at);
            CREATE TABLE IF NOT EXISTS distrust (number INTEGER PRIMARY KEY CHECK (number = 0), until INTEGER NOT NULL);
            """);
    }

    /// <summary>The bytes that are kept for a digest; null when there are none.</summary>
    public byte[]? Find(StorePathDigest digest) =>
        _database.First("SELECT record FROM decision WHERE digest = $digest", row => row.Bytes(0), digest.ToString());

    /// <summary>Keeps a decision. It stays as long as what it replaces would have: older ones of other replicas are known as
    /// older.</summary>
    public void Keep(StorePathDigest digest, byte[] record, DateTimeOffset expiresAt) =>
        _database.Execute(
            "INSERT INTO decision (digest, record, expires_at) VALUES ($digest, $record, $expires) ON CONFLICT (digest) DO UPDATE SET "
                + "record = $record, expires_at = max(expires_at, $expires)",
            digest.ToString(), record, expiresAt.ToUnixTimeMilliseconds());

    /// <summary>Keeps what a decision rests on, in its packed form.</summary>
    public void KeepBundle(StorePathDigest digest, byte[] bundle, DateTimeOffset expiresAt) =>
        _database.Execute(
            "INSERT OR REPLACE INTO bundle (digest, bundle, expires_at) VALUES ($digest, $bundle, $expires)",
            digest.ToString(), bundle, expiresAt.ToUnixTimeMilliseconds());

    /// <summary>What the last decision on a digest rests on, packed; null when it is not kept.</summary>
    public byte[]? FindBundle(StorePathDigest digest) =>
        _database.First("SELECT bundle FROM bundle WHERE digest = $digest", row => row.Bytes(0), digest.ToString());

    /// <summary>Up to when decisions that were made are not believed; long ago when that was never needed.</summary>
    public DateTimeOffset DistrustedUntil() =>
        DateTimeOffset.FromUnixTimeMilliseconds(_database.First("SELECT until FROM distrust", row => row.Number(0)));

    /// <summary>Has no decision believed that was made up to a time.</summary>
    public void Distrust(DateTimeOffset until) =>
        _database.Execute(
            "INSERT INTO distrust (number, until) VALUES (0, $until) ON CONFLICT (number) DO UPDATE SET until = max(until, $until)",
            until.ToUnixTimeMilliseconds() + 1);

    /// <summary>Drops what has expired; the expiry that decides is under the seal, this one only says what may go.</summary>
    public void Prune(DateTimeOffset now)
    {
        _database.Execute("DELETE FROM decision WHERE expires_at < $now", now.ToUnixTimeMilliseconds());
        _database.Execute("DELETE FROM bundle WHERE expires_at < $now", now.ToUnixTimeMilliseconds());
    }
}
