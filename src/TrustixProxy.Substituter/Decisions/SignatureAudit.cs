using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>A signature that the proxy has made.</summary>
/// <param name="At">When.</param>
/// <param name="Path">The store path, absolute.</param>
/// <param name="Outcome"><c>agreed</c> or <c>excepted</c>.</param>
/// <param name="Fingerprint">What was signed: the claim.</param>
/// <param name="Policy">Digest of the policy that it was decided under.</param>
/// <param name="Bundle">Hash of the bundle that shows why.</param>
public sealed record AuditEntry(DateTimeOffset At, string Path, string Outcome, string Fingerprint, string Policy, string Bundle);

/// <summary>The append-only record of every signature that the proxy has made, in the state database. Nothing drops an entry but
/// <see cref="Prune"/>, which only a person calls.</summary>
public sealed class SignatureAudit : IDisposable
{
    private readonly StateDatabase _database;

    /// <param name="stateDirectory">Where the database is.</param>
    public SignatureAudit(string stateDirectory)
        : this(new StateDatabase(stateDirectory, isDurable: false))
    {
    }

    internal SignatureAudit(StateDatabase database)
    {
        _database = database;
        database.Ensure("""
            CREATE TABLE IF NOT EXISTS signature (
              number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, path TEXT NOT NULL, outcome TEXT NOT NULL, fingerprint TEXT NOT NULL, policy BLOB NOT NULL, bundle BLOB NOT NULL);
            CREATE TRIGGER IF NOT EXISTS signature_stays BEFORE UPDATE ON signature BEGIN SELECT RAISE(ABORT, 'the record of signatures is append-only'); END;
            """);
    }

    /// <summary>All entries from a time on, oldest first; at most <paramref name="count"/>, the newest of them.</summary>
    public IReadOnlyList<AuditEntry> Read(DateTimeOffset since, int count) => [.. _database.All(
        "SELECT * FROM (SELECT number, at, path, outcome, fingerprint, policy, bundle FROM signature WHERE at >= $since ORDER BY number "
            + "DESC LIMIT $count) ORDER BY number",
        row => new AuditEntry(
            DateTimeOffset.FromUnixTimeMilliseconds(row.Number(1)), row.Text(2), row.Text(3), row.Text(4),
            Convert.ToHexStringLower(row.Bytes(5)), Convert.ToHexStringLower(row.Bytes(6))),
        since.ToUnixTimeMilliseconds(), count)];

    /// <summary>Drops the entries before a time; answers how many.</summary>
    public int Prune(DateTimeOffset before) =>
        _database.Execute("DELETE FROM signature WHERE at < $before", before.ToUnixTimeMilliseconds());

    /// <inheritdoc/>
    public void Dispose() => _database.Dispose();

    /// <summary>Records a signature: written, if not yet flushed to the disk, when this returns.</summary>
    internal void Append(DecisionRecord record, Digest policy, Digest bundle) => _database.Execute(
        "INSERT INTO signature (at, path, outcome, fingerprint, policy, bundle) VALUES ($at, $path, $outcome, $fingerprint, $policy, "
            + "$bundle)",
        record.DecidedAt.ToUnixTimeMilliseconds(), record.Claim!.Path.Absolute, record.Outcome, record.Claim.Fingerprint,
        policy.ToArray(), bundle.ToArray());
}
