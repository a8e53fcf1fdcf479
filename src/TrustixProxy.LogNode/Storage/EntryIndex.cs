using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Index from digest prefix (the first 8 bytes of an entry's value or store-path digest) to entry number. The caller compares the
/// rest.</summary>
/// <remarks>Digests are unordered, so each row of one sorted table would change a different page. So the newest rows stay in memory. When
/// there are many, they are written as a sorted run, and runs are merged, some rows with each batch. After a crash, rows that no run has
/// are read again from the log.</remarks>
internal sealed class EntryIndex(LogDatabase database) : IDisposable
{
    /// <summary>Number of rows at which they are written: one megabyte. With more, fewer runs are merged, but a restart reads up to as many
    /// entries again.</summary>
    private const int WriteAt = 65_536;

    /// <summary>Number of rows merged for each that is added: twice what a log of 10^7 entries needs.</summary>
    private const int MergedForEach = 16;

    /// <summary>Number of rows that are merged at once: a batch of one entry changes no page of the index, but one in many does.</summary>
    private const int MergedTogether = 4096;

    /// <summary>Number of rows that are merged in one transaction while little is submitted; a call that comes then waits for its
    /// end.</summary>
    private const int MergedQuietly = 50_000;

    private readonly IndexMerges _runs = new(database.Writer);
    private readonly List<IndexRow> _pending = [];
    private long _indexed; // the entries that are in runs, or in the table of an earlier version
    private long _published, _writing;
    private int _owed; // rows to be merged

    /// <summary>Returns the prefixes under which an entry is found.</summary>
    public static long[] PrefixesOf(Entry entry)
    {
        var value = IndexRow.PrefixOf(entry.ValueDigest);
        return StorePath.DigestOfKey(entry.Key) is { } path && IndexRow.PrefixOf(path) is var other && other != value ? [value, other]
            : [value];
    }

    /// <summary>Reads the rows that the file lacks.</summary>
    /// <param name="size">Size of the log.</param>
    public void Begin(long size)
    {
        database.Read(reader =>
        {
            _indexed = reader.IndexedSize();
            foreach (var (index, entry) in reader.AllEntries(_indexed, long.MaxValue))
            {
                Add(index, entry);
            }

            return true;
        });
        (_writing, _owed) = (_indexed, 0);
        Publish(size);
    }

    /// <summary>Adds an entry of the current batch.</summary>
    public void Add(long index, Entry entry)
    {
        foreach (var prefix in PrefixesOf(entry))
        {
            _pending.Add(new IndexRow(prefix, index));
            _owed += MergedForEach;
        }
    }

    /// <summary>Writes the rows of earlier transactions when they are many, and merges runs, within the transaction of a batch.</summary>
    public void Move()
    {
        if (database.Recent.Count >= WriteAt && _writing == _indexed)
        {
            _runs.Add(_indexed, _published, database.Recent.Sorted());
            _writing = _published;
        }

        if (_owed >= MergedTogether)
        {
            _runs.Work(_owed);
            _owed = 0;
        }
    }

    /// <summary>Whether there are runs to merge while little is submitted.</summary>
    public bool HasQuietWork => _runs.HasQuietWork;

    /// <summary>Merges runs, within a transaction of its own.</summary>
    public void MergeQuietly() => _runs.WorkQuietly(MergedQuietly);

    /// <summary>Makes the entries of a durable batch visible to readers.</summary>
    /// <param name="size">Size of the log with it.</param>
    public void Publish(long size)
    {
        var recent = database.Recent;
        if (_writing > _indexed)
        {
            (_indexed, recent) = (_writing, RecentEntries.None);
        }

        database.Recent = recent.With(_pending);
        _pending.Clear();
        _published = size;
    }

    /// <summary>Discards the entries of a failed batch.</summary>
    public void Discard()
    {
        _pending.Clear();
        _writing = _indexed;
        _runs.Forget();
    }

    public void Dispose() => _runs.Dispose();
}
