using TrustixProxy.Apt;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.AptGate.Decisions;

/// <summary>Keeps grants on disk under our MAC. The disk is not trusted: a grant is checked, and decided again from its links, whenever it
/// is read.</summary>
public sealed class DecisionBook
{
    private const string Schema = """
        CREATE TABLE IF NOT EXISTS deb_decisions(
            asked TEXT PRIMARY KEY, sha256 BLOB NOT NULL, until INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS deb_decisions_sha256 ON deb_decisions(sha256);
        """;

    private readonly StateWriter _writer;
    private readonly DebSeal _seal;

    /// <param name="writer">Writes to the state's database.</param>
    /// <param name="seal">Our MAC.</param>
    public DecisionBook(StateWriter writer, DebSeal seal)
    {
        (_writer, _seal) = (writer, seal);
        writer.Database.Ensure(Schema);
    }

    /// <summary>Number of grants kept.</summary>
    public long Count => _writer.Database.First("SELECT COUNT(*) FROM deb_decisions", row => row.Number(0));

    /// <summary>Finds a grant that is still good; null when there is none.</summary>
    public DebDecision? Find(AskedDeb asked, DateTimeOffset now) =>
        Read(asked) is { } bytes && _seal.TryOpen(asked, bytes, out var bundle)
            && new DebDecision(bundle, bundle.ExpiresAt) is var kept && kept.IsInForce(now) && kept.Verdict.IsGranted ? kept : null;

    /// <summary>The files of this SHA-256 that grants are kept for.</summary>
    public IReadOnlyList<string> AskedOf(Digest sha256) =>
        _writer.Database.All("SELECT asked FROM deb_decisions WHERE sha256 = ?1", row => row.Text(0), sha256.ToArray());

    /// <summary>Keeps a grant, soon.</summary>
    public void Keep(DebDecision decision)
    {
        var (asked, sealedBytes) = (decision.Verdict.Asked, _seal.Seal(decision.Bundle));
        _writer.Write(() => _writer.Database.Execute(
            "INSERT OR REPLACE INTO deb_decisions(asked, sha256, until, sealed) VALUES(?1, ?2, ?3, ?4)", asked.Text, asked.Sha256.ToArray(),
            decision.Until.ToUnixTimeSeconds(), sealedBytes));
    }

    /// <summary>Forgets what has expired, soon.</summary>
    public void Prune(DateTimeOffset now) => _writer.Write(
        () => _writer.Database.Execute("DELETE FROM deb_decisions WHERE until <= ?1", now.ToUnixTimeSeconds()));

    private byte[]? Read(AskedDeb asked)
    {
        byte[]? bytes = null;
        _ = DiskRefusal.Of(() => bytes = _writer.Database.First(
            "SELECT sealed FROM deb_decisions WHERE asked = ?1", row => row.Bytes(0), asked.Text));
        return bytes;
    }
}
