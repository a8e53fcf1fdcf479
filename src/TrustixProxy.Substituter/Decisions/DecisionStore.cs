using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>Stores sealed decisions on disk, trusted only after their seal is verified. Several processes may share the file.</summary>
/// <remarks>Avoids WITHOUT ROWID tables: SQLite compares whole rows there, so a lookup would read the overflow pages of every row it
/// passes.</remarks>
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

    /// <summary>Reads the record of a digest; null if there is none.</summary>
    public byte[]? Find(StorePathDigest digest) =>
        _database.First("SELECT record FROM decision WHERE digest = $digest", row => row.Bytes(0), digest.ToString());

    /// <summary>Lists the digests with a record, the newest first.</summary>
    public IReadOnlyList<string> Newest(int most) =>
        _database.All("SELECT digest FROM decision ORDER BY rowid DESC LIMIT $most", row => row.Text(0), most);

    /// <summary>Stores a decision for at least the lifetime of the one it replaces, so that older ones of other replicas are
    /// recognized.</summary>
    public void Keep(StorePathDigest digest, byte[] record, DateTimeOffset expiresAt) =>
        _database.Execute(
            "INSERT INTO decision (digest, record, expires_at) VALUES ($digest, $record, $expires) ON CONFLICT (digest) DO UPDATE SET "
                + "record = $record, expires_at = max(expires_at, $expires)",
            digest.ToString(), record, expiresAt.ToUnixTimeMilliseconds());

    /// <summary>Stores the packed proofs of a decision.</summary>
    public void KeepBundle(StorePathDigest digest, byte[] bundle, DateTimeOffset expiresAt) =>
        _database.Execute(
            "INSERT OR REPLACE INTO bundle (digest, bundle, expires_at) VALUES ($digest, $bundle, $expires)",
            digest.ToString(), bundle, expiresAt.ToUnixTimeMilliseconds());

    /// <summary>Reads the packed proofs of the last decision on a digest; null if not stored.</summary>
    public byte[]? FindBundle(StorePathDigest digest) =>
        _database.First("SELECT bundle FROM bundle WHERE digest = $digest", row => row.Bytes(0), digest.ToString());

    /// <summary>Time up to which decisions are void; the minimum if never set.</summary>
    public DateTimeOffset DistrustedUntil() =>
        DateTimeOffset.FromUnixTimeMilliseconds(_database.First("SELECT until FROM distrust", row => row.Number(0)));

    /// <summary>Voids all decisions made up to a time.</summary>
    public void Distrust(DateTimeOffset until) =>
        _database.Execute(
            "INSERT INTO distrust (number, until) VALUES (0, $until) ON CONFLICT (number) DO UPDATE SET until = max(until, $until)",
            until.ToUnixTimeMilliseconds() + 1);

    /// <summary>Deletes expired rows. This expiry is only for cleanup; the authoritative one is under the seal.</summary>
    public void Prune(DateTimeOffset now)
    {
        _database.Execute("DELETE FROM decision WHERE expires_at < $now", now.ToUnixTimeMilliseconds());
        _database.Execute("DELETE FROM bundle WHERE expires_at < $now", now.ToUnixTimeMilliseconds());
    }
}
