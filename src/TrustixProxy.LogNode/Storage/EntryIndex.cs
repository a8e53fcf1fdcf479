using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.LogNode.Storage;

/// <summary>By what entries are found: the digest of their value, and that of the store path which their key is. The first 8 bytes of
/// either; the rest is compared with the entry.</summary>
/// <remarks>Digests come in no order, so that each row would change another page of the file. The newest rows are kept in memory instead,
/// and when they are many they move into the table in its order,
/// a share of them with each batch, so that many change the same page. After a crash what had not moved is read again from the
/// log.</remarks>
internal sealed class EntryIndex(LogDatabase database) : IDisposable
{
    /// <summary>So many rows begin to move: two megabytes. The more there are, the more of them change one page of the file; and the more
    /// are read again at a start, up to as many entries.</summary>
    private const int MoveAt = 131_072;

    private readonly Statement _insert = new(database.Writer, "INSERT OR IGNORE INTO find (prefix, idx) VALUES ($1, $2)");
    private readonly Statement _indexed = new(database.Writer, "UPDATE indexed SET size = $1");
    private readonly List<IndexRow> _pending = [];
    private int _moved, _moving;
    private long _movingTo;

    /// <summary>The numbers under which an entry is found.</summary>
    public static IEnumerable<long> PrefixesOf(Entry entry) =>
        StorePath.DigestOfKey(entry.Key) is { } path ? [IndexRow.PrefixOf(entry.ValueDigest), IndexRow.PrefixOf(path)]
        : [IndexRow.PrefixOf(entry.ValueDigest)];

    /// <summary>Reads what the table lacks.</summary>
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

    /// <summary>Remembers an entry of the batch at hand.</summary>
    public void Add(long index, Entry entry) => _pending.AddRange(PrefixesOf(entry).Select(prefix => new IndexRow(prefix, index)));

    /// <summary>Moves rows into the table, twice as many as the batch has; within its transaction.</summary>
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

    /// <summary>The batch is durable: shows readers its entries.</summary>
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

    /// <summary>Forgets the entries of a batch that failed.</summary>
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
