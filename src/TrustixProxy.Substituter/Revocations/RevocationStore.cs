using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>Stores all revocations and their reversals on disk, sealed. Several processes may share the file.</summary>
public sealed class RevocationStore(string stateDirectory, RecordSeal seal) : IDisposable
{
    private readonly StateDatabase _database = new(
        stateDirectory,
        isDurable: true,
        "CREATE TABLE IF NOT EXISTS revocation (subject TEXT NOT NULL, number INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY "
            + "(subject, number, record)) WITHOUT ROWID");

    /// <summary>Returns all revocations ever issued, by number; skips records without our seal.</summary>
    public IReadOnlyList<Revocation> Load() =>
    [
        .. _database.All("SELECT subject, record FROM revocation", row => Revocation.Open(seal, row.Text(0), row.Bytes(1)))
            .OfType<Revocation>().Distinct().OrderBy(revocation => revocation.Number),
    ];

    /// <inheritdoc/>
    public void Dispose() => _database.Dispose();

    /// <summary>Counts the records, to detect one added by another process.</summary>
    internal long Count() => _database.First("SELECT count(*) FROM revocation", row => row.Number(0));

    /// <summary>Stores a revocation durably, resealed under the current key.</summary>
    internal void Keep(Revocation revocation) => _database.Execute(
        "INSERT OR IGNORE INTO revocation (subject, number, record) VALUES ($subject, $number, $record)",
        revocation.Subject.ToString(), revocation.Number, revocation.Seal(seal));
}
