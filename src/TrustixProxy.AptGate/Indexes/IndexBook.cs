using TrustixProxy.Apt;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Indexes;

/// <summary>What an archive's index says of a package's file. Nothing of it is trusted: apt checks indexes, and the SHA-256 is what is
/// voted on.</summary>
/// <param name="Version">The whole version, with the epoch that file names lack.</param>
/// <param name="Size">Length in bytes.</param>
/// <param name="Sha256">SHA-256 of the file.</param>
public sealed record IndexedFile(string Version, long Size, Digest Sha256);

/// <summary>Keeps on disk what the indexes that passed said of files, by archive and path.</summary>
/// <remarks>
/// <code>
/// begin ──▶ rows of a new reading, seen by nobody ──▶ commit: they are the index's; those before are kept until the next
///                                                 ──▶ drop:   they go
/// </code>
/// No archive's rows are ever looked at for another archive. The one before the last is kept, since clients use lists that are a while
/// old.</remarks>
public sealed class IndexBook : IDisposable
{
    private const string Schema = """
        CREATE TABLE IF NOT EXISTS readings(
            id INTEGER PRIMARY KEY, archive TEXT NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL, age INTEGER NOT NULL) STRICT;
        CREATE TABLE IF NOT EXISTS files(
            path TEXT NOT NULL, reading INTEGER NOT NULL, version TEXT NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL,
            PRIMARY KEY(path, reading)) STRICT, WITHOUT ROWID;
        """;

    /// <summary>The ages of readings: not committed yet, the newest of its path, and the one before. Older ones go.</summary>
    private const long Unfinished = 0, Newest = 1, Oldest = 2;

    private const int RowsAtOnce = 2000;

    private readonly StateDatabase _database;
    private readonly Lock _committing = new();

    /// <param name="directory">An existing folder of its own.</param>
    /// <exception cref="Microsoft.Data.Sqlite.SqliteException">The file cannot be read or written, or is not a database.</exception>
    public IndexBook(string directory) => _database = new StateDatabase(directory, isDurable: false, Schema);

    /// <summary>Forgets the readings that a process which has ended left unfinished. Only for the process that reads indexes.</summary>
    public void DropUnfinished() => Clean(_database.All("SELECT id FROM readings WHERE age = ?1", row => row.Number(0), Unfinished));

    /// <summary>Finds what the newest index of an archive says of a file; null when none names it.</summary>
    /// <param name="archive">The archive's name.</param>
    /// <param name="path">The file's address below the archive's, decoded.</param>
    public IndexedFile? Find(string archive, string path) => _database.First(
        "SELECT f.version, f.size, f.sha256 FROM files f JOIN readings r ON r.id = f.reading "
            + "WHERE f.path = ?1 AND r.archive = ?2 AND r.age > 0 ORDER BY r.age, r.id DESC LIMIT 1",
        row => new IndexedFile(row.Text(0), row.Number(1), new Digest(row.Span(2))), path, archive);

    /// <summary>Lists the files of a package, the newest first.</summary>
    /// <param name="text">A package's name, or the name of its file.</param>
    /// <param name="most">Maximum number of files.</param>
    public IReadOnlyList<(string FileName, IndexedFile File)> Search(string text, int most) => _database.All(
        "SELECT DISTINCT f.path, f.version, f.size, f.sha256 FROM files f JOIN readings r ON r.id = f.reading "
            + "WHERE f.path GLOB ?1 AND r.age > 0 ORDER BY r.age, r.id DESC LIMIT ?2",
        row => (row.Text(0)[(row.Text(0).LastIndexOf('/') + 1)..], new IndexedFile(row.Text(1), row.Number(2), new Digest(row.Span(3)))),
        text.EndsWith(".deb", StringComparison.Ordinal) ? $"*/{text}" : $"*/{text}_*.deb", (long)most);

    /// <summary>Whether an index was read last, of its path, under this name.</summary>
    /// <param name="archive">The archive's name.</param>
    /// <param name="path">What stays the same from one such index to the next.</param>
    /// <param name="name">What differs: the hash in its address, or its time.</param>
    public bool HasRead(string archive, string path, string name) => _database.First(
        "SELECT 1 FROM readings WHERE archive = ?1 AND path = ?2 AND name = ?3 AND age = ?4", row => row.Number(0), archive, path, name,
        Newest) is 1;

    /// <summary>Number of files that are known.</summary>
    public long Count => _database.First(
        "SELECT COUNT(*) FROM files f JOIN readings r ON r.id = f.reading WHERE r.age = ?1", row => row.Number(0), Newest);

    /// <summary>Begins a reading; returns its number.</summary>
    public long Begin(string archive, string path, string name)
    {
        lock (_committing)
        {
            _database.Execute(
                "INSERT INTO readings(archive, path, name, age) VALUES(?1, ?2, ?3, ?4)", archive, path, name, Unfinished);
            return _database.First("SELECT MAX(id) FROM readings", row => row.Number(0));
        }
    }

    /// <summary>Adds files to a reading.</summary>
    public void Add(long reading, IReadOnlyList<DebianPackage> packages) => _database.Together(() =>
    {
        foreach (var package in packages)
        {
            _database.Execute("INSERT OR REPLACE INTO files(path, reading, version, size, sha256) VALUES(?1, ?2, ?3, ?4, ?5)",
                package.Path, reading, package.Version, package.Size, package.Sha256.ToArray());
        }
    });

    /// <summary>Makes a reading the newest of its path.</summary>
    public void Commit(long reading)
    {
        List<long> old;
        lock (_committing)
        {
            var (archive, path) = _database.First(
                "SELECT archive, path FROM readings WHERE id = ?1", row => (row.Text(0), row.Text(1)), reading);
            _database.Together(() =>
            {
                _database.Execute("UPDATE readings SET age = age + 1 WHERE archive = ?1 AND path = ?2 AND age > 0", archive, path);
                _database.Execute("UPDATE readings SET age = ?1 WHERE id = ?2", Newest, reading);
            });
            old = _database.All(
                "SELECT id FROM readings WHERE archive = ?1 AND path = ?2 AND age > ?3", row => row.Number(0), archive, path, Oldest);
        }

        Clean(old);
    }

    /// <summary>Forgets a reading that did not come to its end.</summary>
    public void Drop(long reading) => Clean([reading]);

    /// <inheritdoc/>
    public void Dispose() => _database.Dispose();

    /// <summary>Deletes readings, some rows at a time: others write in between.</summary>
    private void Clean(IEnumerable<long> readings)
    {
        foreach (var reading in readings)
        {
            for (var after = ""; after is not null;)
            {
                var start = after;
                var paths = _database.All("SELECT path FROM files WHERE path > ?1 AND reading = ?2 ORDER BY path LIMIT ?3",
                    row => row.Text(0), start, reading, (long)RowsAtOnce);
                _database.Together(() => paths.ForEach(
                    path => _database.Execute("DELETE FROM files WHERE path = ?1 AND reading = ?2", path, reading)));
                after = paths.Count < RowsAtOnce ? null : paths[^1];
            }

            _database.Execute("DELETE FROM readings WHERE id = ?1", reading);
        }
    }
}
