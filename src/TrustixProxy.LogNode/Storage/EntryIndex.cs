using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Storage;

/// <summary>By what entries are found: the digest of their value, and that of the store path which their key is. The first 8 bytes of either; the rest is compared with the entry.</summary>
/// <remarks>Digests come in no order, so that each row would change another page of the file. The newest entries are kept in memory instead, and merged into the table thousands at a time, sorted; after a crash they are read again from the log.</remarks>
internal sealed class EntryIndex(LogDatabase database) : IDisposable
{
    /// <summary>So many entries are kept in memory before they are merged: about 3 MB.</summary>
    private const int MergeAt = 4_096;

    private readonly Statement _insert = new(database.Writer, "INSERT OR IGNORE INTO find (prefix, idx) VALUES ($1, $2)");
    private readonly Statement _indexed = new(database.Writer, "UPDATE indexed SET size = $1");
    private readonly List<(long Prefix, long Index)> _pending = [];
    private long _merged;

    /// <summary>The first 8 bytes of a digest as a number.</summary>
    public static long Prefix(Digest digest) => System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(digest.ToArray());

    /// <summary>The same of a store path's digest.</summary>
    public static long Prefix(StorePathDigest digest) => System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(digest.ToBytes());

    /// <summary>The numbers under which an entry is found.</summary>
    public static IEnumerable<long> PrefixesOf(Entry entry) => EntryRows.PathDigestOf(entry.Key) is { } path ? [Prefix(entry.ValueDigest), Prefix(path)] : [Prefix(entry.ValueDigest)];

    /// <summary>Reads what was not merged yet.</summary>
    public void Begin()
    {
        database.Read(reader =>
        {
            _merged = reader.IndexedSize();
            foreach (var (index, entry) in reader.AllEntries(_merged, long.MaxValue))
            {
                Add(index, entry);
            }

            return true;
        });
        Publish();
    }

    /// <summary>Remembers an entry of the batch at hand.</summary>
    public void Add(long index, Entry entry) => _pending.AddRange(PrefixesOf(entry).Select(prefix => (prefix, index)));

    /// <summary>Shows readers the entries of a batch that is durable.</summary>
    public void Publish()
    {
        foreach (var (prefix, index) in _pending)
        {
            database.Recent.AddOrUpdate(prefix, [index], (_, known) => [.. known, index]);
        }

        _pending.Clear();
    }

    /// <summary>Forgets the entries of a batch that failed.</summary>
    public void Discard() => _pending.Clear();

    /// <summary>Whether it is time to <see cref="Merge"/>.</summary>
    public bool IsDue(long size) => size - _merged >= MergeAt;

    /// <summary>Moves what is in memory into the table; within a transaction.</summary>
    /// <param name="size">Size of the log.</param>
    public void Merge(long size)
    {
        foreach (var (prefix, index) in database.Recent.SelectMany(entry => entry.Value.Select(index => (entry.Key, index))).Order())
        {
            _insert.Run(prefix, index);
        }

        _indexed.Run(size);
    }

    /// <summary>The merge is durable: what it moved is dropped from memory.</summary>
    public void Merged(long size)
    {
        _merged = size;
        database.Recent = new ConcurrentDictionary<long, long[]>();
    }

    public void Dispose()
    {
        _insert.Dispose();
        _indexed.Dispose();
    }
}
