using System.Collections.Concurrent;
using Google.Protobuf;
using Microsoft.Data.Sqlite;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Storage;

/// <summary>An entry of the log.</summary>
/// <param name="Key">What it was submitted under.</param>
/// <param name="Value">What was submitted.</param>
internal sealed record Entry(byte[] Key, byte[] Value)
{
    /// <summary>SHA-256 of the value.</summary>
    public Digest ValueDigest { get; } = Digest.Of(Value);
}

/// <summary>A head under which the map can still be read.</summary>
/// <param name="Number">Which head, counted from 1.</param>
/// <param name="Size">How many entries it covers.</param>
internal readonly record struct KeptHead(long Number, long Size);

/// <summary>Which of the two append-only trees.</summary>
internal enum Tree
{
    /// <summary>The entries.</summary>
    Log,

    /// <summary>The map roots of all heads.</summary>
    MapHeads,
}

/// <summary>One connection that reads a log's file.</summary>
internal sealed class LogReader : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly Statement _begin, _end, _entry, _find, _range, _tile, _page, _history, _size, _root, _isKept, _conflicts;

    private ConcurrentDictionary<long, long[]> _recent = new();

    public LogReader(SqliteConnection connection)
    {
        _connection = connection;
        _begin = new Statement(connection, "BEGIN");
        _end = new Statement(connection, "COMMIT");
        _entry = new Statement(connection, "SELECT key, value FROM entry WHERE idx = $1");
        _find = new Statement(connection, "SELECT idx FROM find WHERE prefix = $1");
        _range = new Statement(connection, "SELECT key, value FROM entry WHERE idx BETWEEN $1 AND $2 ORDER BY idx");
        _conflicts = new Statement(
            connection,
            "SELECT e.key, e.idx, e.value, c.value, c.seen_at, c.signature FROM conflict AS c JOIN entry AS e ON e.idx = c.idx WHERE c.seq > $1 ORDER BY c.seq LIMIT $2");
        _tile = new Statement(connection, "SELECT hashes FROM tile WHERE tree = $1 AND level = $2 AND idx = $3");
        _page = new Statement(connection, "SELECT page, version FROM map_page WHERE address = $1");
        _history = new Statement(connection, "SELECT page, page_version FROM map_history WHERE version = $1 AND address = $2");
        _size = new Statement(connection, "SELECT tree_size FROM head WHERE mh_size = $1");
        _root = new Statement(connection, "SELECT head, mh_size FROM head WHERE root_prefix = $1");
        _isKept = new Statement(connection, "SELECT NOT EXISTS (SELECT 1 FROM head WHERE mh_size = $1) OR EXISTS (SELECT 1 FROM superseded WHERE version = (SELECT tree_size FROM head WHERE mh_size = $1))");
    }

    /// <param name="recent">The entries that the table lacks.</param>
    /// <param name="read">What is read.</param>
    public T InOneState<T>(ConcurrentDictionary<long, long[]> recent, Func<LogReader, T> read)
    {
        _recent = recent;
        _begin.Run();
        try
        {
            return read(this);
        }
        finally
        {
            _end.Run();
        }
    }

    public Entry? FindEntry(long index) => _entry.First(ReadEntry, index);

    /// <summary>Entries from <paramref name="first"/> to <paramref name="last"/>, both included.</summary>
    public List<Entry> FindEntries(long first, long last) => _range.All(ReadEntry, first, last);

    /// <summary>The value with this digest; null when there is none.</summary>
    public byte[]? FindValue(Digest digest) => Find(EntryIndex.Prefix(digest)).FirstOrDefault(entry => entry.ValueDigest == digest)?.Value;

    /// <summary>Keys of the log's first <paramref name="size"/> entries that are store paths with this digest.</summary>
    public IEnumerable<byte[]> FindKeysOfPath(StorePathDigest digest, long size) =>
        Find(EntryIndex.Prefix(digest), size).Select(entry => entry.Key).Where(key => EntryRows.PathDigestOf(key) == digest);

    /// <summary>Conflicts from number <paramref name="start"/> on, counted from 0.</summary>
    public List<Conflict> FindConflicts(long start, int most) => _conflicts.All(
        row => new Conflict
        {
            Key = UnsafeByteOperations.UnsafeWrap(row.Bytes(0)),
            Index = (ulong)row.Number(1),
            ValueDigest = WireMessage.ToBytes(Digest.Of(row.Bytes(2))),
            OtherValue = UnsafeByteOperations.UnsafeWrap(row.Bytes(3)),
            SeenAt = (ulong)row.Number(4),
            Signature = UnsafeByteOperations.UnsafeWrap(row.Bytes(5)),
        },
        start, most);

    public byte[]? FindTile(Tree tree, int level, long index) => _tile.First(row => row.Bytes(0), (int)tree, level, index);

    /// <summary>A page of the map as it was under a head whose map is kept; null when it had no such page.</summary>
    /// <remarks>History tells what a page was before a batch. It is followed from the newest batch back, and at the same time from the first one after the head on: a page that changes often is found soon one way, one that seldom changes the other way.</remarks>
    public byte[]? FindPage(MapPageAddress address, KeptHead head)
    {
        var key = address.ToBytes();
        var (page, version) = _page.First(row => (row.Bytes(0), row.Number(1)), key);
        for (var next = head.Number + 1; version > head.Size; next++)
        {
            var before = FindHistory(version, key);
            (page, version) = before ?? default;
            if (version > head.Size && FindHistory(_size.First(row => row.Number(0), next), key) is { } first)
            {
                (page, version) = first.Version > head.Size ? default : first;
            }
        }

        return page;
    }

    /// <summary>What the batch up to <paramref name="version"/> overwrote at an address, and when that was written; null when it overwrote nothing there.</summary>
    public (byte[]? Page, long Version)? FindHistory(long version, byte[] address) =>
        _history.First(row => ((byte[]?, long)?)(row.Bytes(0), row.Number(1)), version, address);

    /// <summary>The head with this map root; null when none has it, or the map's pages of that time are gone.</summary>
    public KeptHead? FindHeadOfMapRoot(Digest mapRoot)
    {
        foreach (var (bytes, number) in _root.All(row => (row.Bytes(0), row.Number(1)), EntryIndex.Prefix(mapRoot)))
        {
            var head = LogHead.Parser.ParseFrom(bytes);
            if (Digest.TryRead(head.MapRoot.Span, out var root) && root == mapRoot && IsKept(number))
            {
                return new KeptHead(number, (long)head.TreeSize);
            }
        }

        return null;
    }

    /// <summary>Whether the map can still be read as it was under the head of this number.</summary>
    public bool IsKept(long number) => _isKept.First(row => row.Number(0) is not 0, number + 1);

    /// <summary>Every head with its number, from the first on.</summary>
    public IEnumerable<(long Number, byte[] Head)> AllHeads() => Stream("SELECT mh_size, head FROM head ORDER BY mh_size", row => (row.Number(0), row.Bytes(1)));

    /// <summary>What the table of heads has beside the heads, by which they are found.</summary>
    public IEnumerable<(long Number, long Size, long RootPrefix)> AllHeadRows() => Stream("SELECT mh_size, tree_size, root_prefix FROM head ORDER BY mh_size", row => (row.Number(0), row.Number(1), row.Number(2)));

    /// <summary>The digest by which each conflict is known for one that was seen, and its value.</summary>
    public IEnumerable<(byte[] Digest, byte[] Value)> AllConflictRows() => Stream("SELECT digest, value FROM conflict ORDER BY seq", row => (row.Bytes(0), row.Bytes(1)));

    /// <summary>Heads from number <paramref name="from"/>, counted from 0, to before <paramref name="to"/>.</summary>
    public IEnumerable<TimedHead> HeadsBetween(long from, long to) => Stream(
        $"SELECT head, signed_at FROM head WHERE mh_size > {from} AND mh_size <= {to} ORDER BY mh_size",
        row => new TimedHead(LogHead.Parser.ParseFrom(row.Bytes(0)), row.Number(1)));

    /// <exception cref="InvalidDataException">No head was ever signed.</exception>
    public LogHead NewestHead() => Stream("SELECT head FROM head ORDER BY mh_size DESC LIMIT 1", row => LogHead.Parser.ParseFrom(row.Bytes(0))).FirstOrDefault()
        ?? throw new InvalidDataException($"{_connection.DataSource} holds no head: the log was never served.");

    /// <summary>Entries from one size to another.</summary>
    public IEnumerable<(long Index, Entry Entry)> AllEntries(long from, long to) => from == to ? [] : Stream(
        $"SELECT idx, key, value FROM entry WHERE idx >= {from} AND idx < {to} ORDER BY idx",
        row => (row.Number(0), new Entry(row.Bytes(1), row.Bytes(2))));

    /// <summary>Up to which size entries are in <c>find</c>.</summary>
    public long IndexedSize() => Stream("SELECT size FROM indexed", row => row.Number(0)).FirstOrDefault();

    /// <summary>Whether <c>find</c> has an entry under a number.</summary>
    public bool IsFiled(long prefix, long index) => _find.All(row => row.Number(0), prefix).Contains(index);

    /// <summary>All pages of the newest map, and when each was written.</summary>
    public IEnumerable<(byte[] Address, byte[] Page, long Version)> AllPages() => Stream("SELECT address, page, version FROM map_page", row => (row.Bytes(0), row.Bytes(1), row.Number(2)));

    public long Count(string table)
    {
        using var count = new Statement(_connection, $"SELECT count(*) FROM {table}");
        return count.First(row => row.Number(0));
    }

    public void Dispose()
    {
        foreach (var statement in new[] { _begin, _end, _entry, _find, _range, _tile, _page, _history, _size, _root, _isKept, _conflicts })
        {
            statement.Dispose();
        }

        _connection.Dispose();
    }

    private IEnumerable<Entry> Find(long prefix, long size = long.MaxValue) => _find.All(row => row.Number(0), prefix)
        .Concat(_recent.GetValueOrDefault(prefix) ?? [])
        .Distinct().Where(index => index < size).Order().Select(FindEntry).OfType<Entry>();

    /// <summary>Rows of a query of its own, one at a time.</summary>
    private IEnumerable<T> Stream<T>(string sql, Func<Row, T> read)
    {
        using var statement = new Statement(_connection, sql);
        foreach (var row in statement.Stream(read))
        {
            yield return row;
        }
    }

    private static Entry ReadEntry(Row row) => new(row.Bytes(0), row.Bytes(1));
}
