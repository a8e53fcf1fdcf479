using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Releases;

/// <summary>A Release file that an archive served.</summary>
/// <param name="Archive">The archive's name.</param>
/// <param name="Suite">The suite: <c>sid</c>, <c>trixie-updates</c>.</param>
/// <param name="Sha256">SHA-256 of its InRelease.</param>
/// <param name="SeenAt">When it passed first.</param>
/// <param name="IsSubmitted">Whether the log has it.</param>
public sealed record ServedRelease(string Archive, string Suite, Digest Sha256, DateTimeOffset SeenAt, bool IsSubmitted);

/// <summary>Keeps which Release files archives served: sites compare them, so that nobody can be shown one of his own.</summary>
public sealed class ReleaseBook
{
    private const string Schema = """
        CREATE TABLE IF NOT EXISTS releases(
            archive TEXT NOT NULL, suite TEXT NOT NULL, sha256 BLOB NOT NULL, seen INTEGER NOT NULL, submitted INTEGER NOT NULL,
            PRIMARY KEY(archive, suite, sha256)) STRICT, WITHOUT ROWID;
        """;

    private const long MaxKept = 10_000;

    private readonly StateWriter _writer;
    private readonly TimeProvider _time;

    /// <param name="writer">Writes to the state's database.</param>
    public ReleaseBook(StateWriter writer, TimeProvider time)
    {
        (_writer, _time) = (writer, time);
        writer.Database.Ensure(Schema);
    }

    /// <summary>Raised when a Release file passed; it may have passed before.</summary>
    public event Action? Noted;

    /// <summary>Takes down a Release file, soon.</summary>
    public void Note(string archive, string suite, Digest sha256)
    {
        var seen = _time.GetUtcNow().ToUnixTimeSeconds();
        _ = NoteAsync(_writer.Write(() =>
        {
            _writer.Database.Execute(
                "INSERT OR IGNORE INTO releases(archive, suite, sha256, seen, submitted) VALUES(?1, ?2, ?3, ?4, 0)", archive, suite,
                sha256.ToArray(), seen);
            _writer.Database.Execute(
                "DELETE FROM releases WHERE seen < (SELECT MIN(seen) FROM (SELECT seen FROM releases ORDER BY seen DESC LIMIT ?1))",
                MaxKept);
        }));
    }

    /// <summary>Lists them, the newest first.</summary>
    public IReadOnlyList<ServedRelease> List() => _writer.Database.All(
        "SELECT archive, suite, sha256, seen, submitted FROM releases ORDER BY seen DESC, suite",
        row => new ServedRelease(row.Text(0), row.Text(1), new Digest(row.Span(2)), DateTimeOffset.FromUnixTimeSeconds(row.Number(3)),
            row.Number(4) is 1));

    /// <summary>Takes down that the log has one.</summary>
    public Task MarkAsync(ServedRelease release) => _writer.Write(() => _writer.Database.Execute(
        "UPDATE releases SET submitted = 1 WHERE archive = ?1 AND suite = ?2 AND sha256 = ?3", release.Archive, release.Suite,
        release.Sha256.ToArray()));

    private async Task NoteAsync(Task written)
    {
        await written;
        Noted?.Invoke();
    }
}
