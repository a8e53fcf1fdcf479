using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Writes whose token submitted what: for entries, and for what was submitted later for their keys.</summary>
/// <remarks>Only this node knows; no export and no answer holds it. Entries of one writer in a row share one row.</remarks>
internal sealed class WriterRows(SqliteConnection connection) : IDisposable
{
    private readonly Statement _extend = new(connection, "UPDATE wrote SET last = $1 WHERE last = $2 AND writer = $3");
    private readonly Statement _begin = new(connection, "INSERT OR REPLACE INTO wrote (last, first, writer) VALUES ($1, $2, $3)");
    private readonly Statement _of = new(connection, "SELECT writer, first FROM wrote WHERE last >= $1 ORDER BY last LIMIT 1");
    private readonly Statement _said = new(
        connection, "INSERT OR IGNORE INTO said (idx, digest, writer, seen_at) VALUES ($1, $2, $3, $4)");

    /// <summary>Records who submitted entries that follow each other.</summary>
    /// <param name="first">Index of the first.</param>
    /// <param name="writers">Who submitted each; null where that is unknown.</param>
    public void Wrote(long first, IReadOnlyList<string?> writers)
    {
        for (var (i, end) = (0, 0); i < writers.Count; i = end)
        {
            for (end = i + 1; end < writers.Count && writers[end] == writers[i]; end++)
            {
            }

            if (writers[i] is { } writer && _extend.Run(first + end - 1, first + i - 1, writer) is 0)
            {
                _begin.Run(first + end - 1, first + i, writer);
            }
        }
    }

    /// <summary>Records that somebody submitted a value for the key of an existing entry.</summary>
    public void Said(long index, byte[] digest, string? writer, long seenAt)
    {
        if (writer is not null)
        {
            _said.Run(index, digest, writer, seenAt);
        }
    }

    /// <summary>Returns who submitted an entry; null if unknown.</summary>
    public string? Of(long index) => _of.First(row => row.Number(1) <= index ? row.Text(0) : null, index);

    public void Dispose()
    {
        foreach (var statement in new[] { _extend, _begin, _of, _said })
        {
            statement.Dispose();
        }
    }
}
