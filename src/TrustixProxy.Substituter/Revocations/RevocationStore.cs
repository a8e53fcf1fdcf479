using TrustixProxy.Consensus;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.Substituter.Revocations;

/// <summary>All revocations, and what has taken them back, on disk and sealed. Several processes may share the file.</summary>
/// <param name="stateDirectory">Where the database is.</param>
/// <param name="seal">What seals them.</param>
public sealed class RevocationStore(string stateDirectory, RecordSeal seal) : IDisposable
{
    private readonly StateDatabase _database = new(
        stateDirectory,
        isDurable: true,
        "CREATE TABLE IF NOT EXISTS revocation (subject TEXT NOT NULL, number INTEGER NOT NULL, record BLOB NOT NULL, PRIMARY KEY "
            + "(subject, number, record)) WITHOUT ROWID");

    /// <summary>All that were ever given, by number; what we did not seal is none.</summary>
    public IReadOnlyList<Revocation> Load() =>
    [
        .. _database.All("SELECT subject, record FROM revocation", row => Revocation.Open(seal, row.Text(0), row.Bytes(1)))
            .OfType<Revocation>().Distinct().OrderBy(revocation => revocation.Number),
    ];

    /// <inheritdoc/>
    public void Dispose() => _database.Dispose();

    /// <summary>How many there are: whether another process has added one.</summary>
    internal long Count() => _database.First("SELECT count(*) FROM revocation", row => row.Number(0));

    /// <summary>Keeps one, on the disk when this returns; under the key that seals now, whatever key it came under.</summary>
    internal void Keep(Revocation revocation) => _database.Execute(
        "INSERT OR IGNORE INTO revocation (subject, number, record) VALUES ($subject, $number, $record)",
        revocation.Subject.ToString(), revocation.Number, revocation.Seal(seal));
}
