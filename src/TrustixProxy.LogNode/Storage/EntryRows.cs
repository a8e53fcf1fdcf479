using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Writes entries, and conflicts with them.</summary>
internal sealed class EntryRows(SqliteConnection connection) : IDisposable
{
    private readonly Statement _entry = new(connection, "INSERT INTO entry (idx, key, value) VALUES ($1, $2, $3)");
    private readonly Statement _value = new(connection, "SELECT value FROM entry WHERE idx = $1");
    private readonly Statement _known = new(connection, "SELECT 1 FROM conflict WHERE idx = $1 AND digest = $2");
    private readonly Statement _conflict = new(
        connection, "INSERT INTO conflict (idx, digest, value, seen_at, signature) VALUES ($1, $2, $3, $4, $5)");

    private readonly WriterRows _writers = new(connection);

    public void Add(long index, Entry entry) => _entry.Run(index, entry.Key, entry.Value);

    /// <summary>Records that <paramref name="other"/> was submitted for the key of entry <paramref name="index"/>. Skips an equal value,
    /// and a known conflict; both tell who else says so.</summary>
    public bool AddConflict(long index, Entry other, LogSigner signer, long seenAt)
    {
        var first = Digest.Of(_value.First(row => row.Bytes(0), index));
        var digest = other.ValueDigest;
        if (first != digest || other.Writer != _writers.Of(index))
        {
            _writers.Said(index, digest.ToArray(), other.Writer, seenAt);
        }

        if (first == digest || _known.First(row => true, index, digest.ToArray()))
        {
            return false;
        }

        AddConflict(index, other, seenAt, signer.Sign(new ConflictRecord(other.Key, index, first, digest, seenAt)));
        return true;
    }

    /// <summary>Writes a conflict that was signed before.</summary>
    public void AddConflict(long index, Entry other, long seenAt, byte[] signature) =>
        _conflict.Run(index, other.ValueDigest.ToArray(), other.Value, seenAt, signature);

    /// <summary>Records who submitted entries that follow each other.</summary>
    public void Wrote(long first, IReadOnlyList<string?> writers) => _writers.Wrote(first, writers);

    public void Dispose()
    {
        foreach (var statement in new IDisposable[] { _entry, _value, _known, _conflict, _writers })
        {
            statement.Dispose();
        }
    }
}
