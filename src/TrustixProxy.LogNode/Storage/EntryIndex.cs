using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Index from digest prefix (the first 8 bytes of an entry's value or store-path digest) to entry number. The caller compares the
/// rest.</summary>
/// <remarks>Digests are unordered, so each row would change a different page. So the newest rows stay in memory. When there are many, they
/// move into the table in its order, some with each batch, so that many change the same page. After a crash, rows not yet moved are read
/// again from the log.</remarks>
internal sealed class EntryIndex(LogDatabase database) : IDisposable
{
    /// <summary>Number of rows at which they start to move: two megabytes. More rows share more pages, but a restart reads up to as many
    /// entries again.</summary>
    private const int MoveAt = 131_072;

    private readonly Statement _insert = new(database.Writer, "INSERT OR IGNORE INTO find (prefix, idx) VALUES ($1, $2)");
    private readonly Statement _indexed = new(database.Writer, "UPDATE indexed SET size = $1");
    private readonly List<IndexRow> _pending = [];
    private int _moved, _moving;
    private long _movingTo;

    /// <summary>Returns the prefixes under which an entry is found.</summary>
    public static IEnumerable<long> PrefixesOf(Entry entry) =>
        StorePath.DigestOfKey(entry.Key) is { } path ? [IndexRow.PrefixOf(entry.ValueDigest), IndexRow.PrefixOf(path)]
        : [IndexRow.PrefixOf(entry.ValueDigest)];

    /// <summary>Reads the rows that the table lacks.</summary>
    /// <param name="size">Size of the log.</param>
    public void Begin(long size)
    {
        database.Read(reader =>
        {
            foreach (var (index, entry) in reader.AllEntries(reader.IndexedSize(), long.MaxValue))
            {
                Add(index, entry);
            }

            return true;
        });
        Publish(size);
    }

    /// <summary>Adds an entry of the current batch.</summary>
    public void Add(long index, Entry entry) => _pending.AddRange(PrefixesOf(entry).Select(prefix => new IndexRow(prefix, index)));

    /// <summary>Moves rows into the table, twice as many as the batch has, within its transaction.</summary>
    public void Move()
    {
        var rows = database.Recent.Moving.Span;
        _moving = Math.Min(rows.Length, _moved + (2 * _pending.Count));
        foreach (var row in rows[_moved.._moving])
        {
            _insert.Run(row.Prefix, row.Index);
        }

        if (_moving == rows.Length && _moving > _moved)
        {
            _indexed.Run(_movingTo);
        }
    }

    /// <summary>Makes the entries of a durable batch visible to readers.</summary>
    /// <param name="size">Size of the log with it.</param>
    public void Publish(long size)
    {
        var recent = database.Recent.With(_pending);
        _pending.Clear();
        _moved = _moving;
        if (_moved == recent.Moving.Length)
        {
            recent = recent.Moved(moveOthers: recent.Count >= MoveAt);
            (_moved, _moving, _movingTo) = (0, 0, size);
        }

        database.Recent = recent;
    }

    /// <summary>Discards the entries of a failed batch.</summary>
    public void Discard()
    {
        _pending.Clear();
        _moving = _moved;
    }

    public void Dispose()
    {
        _insert.Dispose();
        _indexed.Dispose();
    }
}
