using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Decisions;

/// <summary>A signature made by the proxy.</summary>
/// <param name="Path">The store path, absolute; of a build trace, where the output is.</param>
/// <param name="Outcome"><c>agreed</c> or <c>excepted</c>.</param>
/// <param name="Fingerprint">The signed text.</param>
/// <param name="Policy">Digest of the policy of the decision.</param>
/// <param name="Bundle">Hash of the bundle with the proofs; null for a build trace, which has none.</param>
public sealed record AuditEntry(DateTimeOffset At, string Path, string Outcome, string Fingerprint, string Policy, string? Bundle);

/// <summary>Append-only record of all signatures made by the proxy, in the state database. Only <see cref="Prune"/> drops entries, and only
/// an operator calls it.</summary>
public sealed class SignatureAudit : IDisposable
{
    private readonly StateDatabase _database;

    public SignatureAudit(string stateDirectory)
        : this(new StateDatabase(stateDirectory, isDurable: false))
    {
    }

    internal SignatureAudit(StateDatabase database)
    {
        _database = database;
        database.Ensure("""
            CREATE TABLE IF NOT EXISTS signature (
              number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, path TEXT NOT NULL, outcome TEXT NOT NULL,
                  fingerprint TEXT NOT NULL, policy BLOB NOT NULL, bundle BLOB NOT NULL);
            CREATE TRIGGER IF NOT EXISTS signature_stays BEFORE UPDATE ON signature BEGIN
                SELECT RAISE(ABORT, 'the record of signatures is append-only'); END;
            """);
    }

    /// <summary>Returns the newest entries since a time, at most <paramref name="count"/>, oldest first.</summary>
    public IReadOnlyList<AuditEntry> Read(DateTimeOffset since, int count) => [.. _database.All(
        "SELECT * FROM (SELECT number, at, path, outcome, fingerprint, policy, bundle FROM signature WHERE at >= $since ORDER BY number "
            + "DESC LIMIT $count) ORDER BY number",
        row => new AuditEntry(
            DateTimeOffset.FromUnixTimeMilliseconds(row.Number(1)), row.Text(2), row.Text(3), row.Text(4),
            Convert.ToHexStringLower(row.Bytes(5)), row.Bytes(6) is { Length: > 0 } bundle ? Convert.ToHexStringLower(bundle) : null),
        since.ToUnixTimeMilliseconds(), count)];

    /// <summary>Drops the entries before a time and returns their number.</summary>
    public int Prune(DateTimeOffset before) =>
        _database.Execute("DELETE FROM signature WHERE at < $before", before.ToUnixTimeMilliseconds());

    /// <inheritdoc/>
    public void Dispose() => _database.Dispose();

    /// <summary>Records a signature; on return it is written, but perhaps not yet flushed to disk.</summary>
    internal void Append(DecisionRecord record, Digest policy, Digest bundle) => Append(
        record.DecidedAt, record.Claim!.Path, record.Outcome, record.Claim.Fingerprint, policy, bundle.ToArray());

    /// <summary>Records the signature of a build trace.</summary>
    internal void Append(TraceRecord record, Digest policy, DateTimeOffset at) => Append(
        at, record.OutPath, Outcome.Agreed, BuildTrace.FingerprintOf(record.Key, record.OutPath), policy, []);

    private void Append(DateTimeOffset at, StorePath path, Outcome outcome, string fingerprint, Digest policy, byte[] bundle) =>
        _database.Execute(
            "INSERT INTO signature (at, path, outcome, fingerprint, policy, bundle) VALUES ($at, $path, $outcome, $fingerprint, $policy, "
                + "$bundle)",
            at.ToUnixTimeMilliseconds(), path.Absolute, outcome.Word(), fingerprint, policy.ToArray(), bundle);
}
