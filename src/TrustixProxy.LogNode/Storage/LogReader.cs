using System.Runtime.InteropServices;
using Google.Protobuf;
using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.LogNode.Storage;

/// <summary>An entry of the log.</summary>
/// <param name="Key">The key it was submitted under.</param>
internal sealed record Entry(byte[] Key, byte[] Value)
{
    /// <summary>SHA-256 of the value.</summary>
    public Digest ValueDigest { get; } = Digest.Of(Value);

    /// <summary>Name of the write token that submitted it; null if unknown.</summary>
    public string? Writer { get; init; }
}

/// <summary>A head whose map is stored.</summary>
/// <param name="Head">The head's number, from 1.</param>
/// <param name="Root">Number of the page at the root.</param>
/// <param name="Prefix">The first 8 bytes of the map root, by which it is found.</param>
/// <param name="IsTimedAsHead">Whether it expires by the head's own time.</param>
/// <param name="Replaced">The pages that the previous head needs and this one does not.</param>
internal readonly record struct KeptMap(long Head, long Root, long Prefix, bool IsTimedAsHead, long[] Replaced)
{
    /// <summary>Decodes the numbers of replaced pages from a row.</summary>
    public static long[] NumbersOf(byte[] replaced) => MemoryMarshal.Cast<byte, long>(replaced).ToArray();
}

/// <summary>One connection that reads a log's file.</summary>
internal sealed class LogReader : IDisposable
{
    private const string ConflictColumns =
        "e.key, e.idx, e.value, c.value, c.seen_at, c.signature FROM conflict AS c JOIN entry AS e ON e.idx = c.idx";

    private readonly SqliteConnection _connection;
    private readonly MapPages _pages;
    private readonly Statement _begin, _end, _entry, _find, _range, _rootsOf, _root, _conflicts;

    private long _version; // of the layout, in the last state; 0 before the first
    private Statement? _tile;
    private RecentEntries _recent = RecentEntries.None;
    private IndexRuns? _index;
    private List<IndexRun>? _runs; // in the state that is read

    public LogReader(SqliteConnection connection, MapPages.Cache pages, TileNodes.Cache tiles)
    {
        (_connection, _pages, Tiles) = (connection, new MapPages(connection, pages), tiles);
        _begin = new Statement(connection, "BEGIN");
        _end = new Statement(connection, "COMMIT");
        _entry = new Statement(connection, "SELECT key, value FROM entry WHERE idx = $1");
        _find = new Statement(connection, "SELECT idx FROM find WHERE prefix = $1");
        _range = new Statement(connection, "SELECT key, value FROM entry WHERE idx BETWEEN $1 AND $2 ORDER BY idx");
        _conflicts = new Statement(
            connection,
            $"SELECT {ConflictColumns} WHERE c.seq > $1 ORDER BY c.seq LIMIT $2");
        _rootsOf = new Statement(
            connection, "SELECT head.head, map.root FROM map JOIN head ON head.mh_size = map.head WHERE map.prefix = $1");
        _root = new Statement(connection, "SELECT root FROM map WHERE head = $1");
    }

    /// <summary>Cached tiles.</summary>
    public TileNodes.Cache Tiles { get; }

    /// <param name="recent">The rows that the file lacks.</param>
    public T InOneState<T>(RecentEntries recent, Func<LogReader, T> read)
    {
        (_recent, _runs) = (recent, null);
        _begin.Run();
        try
        {
            FollowLayout();
            return read(this);
        }
        finally
        {
            _end.Run();
        }
    }

    public Entry? FindEntry(long index) => _entry.First(ReadEntry, index);

    /// <summary>Reads entries from <paramref name="first"/> to <paramref name="last"/>, both included.</summary>
    public List<Entry> FindEntries(long first, long last) => _range.All(ReadEntry, first, last);

    /// <summary>Returns the total length of the keys and of the values from <paramref name="from"/> to before
    /// <paramref name="to"/>.</summary>
    public (long Keys, long Values) SizeOfEntries(long from, long to) => Stream(
        $"SELECT coalesce(sum(length(key)), 0), coalesce(sum(length(value)), 0) FROM entry WHERE idx >= {from} AND idx < {to}",
        row => (row.Number(0), row.Number(1))).First();

    /// <summary>Finds the value with this digest among the log's first <paramref name="size"/> entries; null when there is none.</summary>
    public byte[]? FindValue(Digest digest, long size) =>
        Find(IndexRow.PrefixOf(digest)).Where(index => index < size).Select(FindEntry)
            .FirstOrDefault(entry => entry?.ValueDigest == digest)?.Value;

    /// <summary>Finds those of the log's first <paramref name="size"/> entries whose keys are store paths with this digest.</summary>
    public IEnumerable<(long Index, Entry Entry)> FindEntriesOfPath(StorePathDigest digest, long size)
    {
        foreach (var index in Find(IndexRow.PrefixOf(digest)).Where(index => index < size))
        {
            if (FindEntry(index) is { } entry && StorePath.DigestOfKey(entry.Key) == digest)
            {
                yield return (index, entry);
            }
        }
    }

    /// <summary>Reads conflicts from number <paramref name="start"/>, counted from 0.</summary>
    public List<Conflict> FindConflicts(long start, int most) => _conflicts.All(ReadConflict, start, most);

    /// <summary>Reads the conflicts with one entry, oldest first.</summary>
    public IEnumerable<Conflict> FindConflictsOf(long index) => Stream(
        $"SELECT {ConflictColumns} WHERE c.idx = {index} ORDER BY c.seq", ReadConflict);

    public byte[]? FindTile(Tree tree, int level, long index) => _tile!.First(row => row.Bytes(0), TileRow.NumberOf(tree, level, index));

    /// <summary>Finds the map under the head of this number, counted from 1; null when it is no longer stored.</summary>
    public SparseMerkleMap? FindMap(long head) => _root.First(row => (long?)row.Number(0), head) is { } root ? _pages.Map(root) : null;

    /// <inheritdoc cref="MapPages.LeadingTo"/>
    public Dictionary<long, MapPage> PagesLeadingTo(IEnumerable<Digest> paths, long root) => _pages.LeadingTo(paths, root);

    /// <summary>Finds the map with this root; null when no head with a stored map has it.</summary>
    public SparseMerkleMap? FindMap(Digest mapRoot)
    {
        foreach (
            var (head, root) in _rootsOf.All(row => (LogHead.Parser.ParseFrom(row.Bytes(0)), row.Number(1)), IndexRow.PrefixOf(mapRoot)))
        {
            if (mapRoot == new Digest(head.MapRoot.Span))
            {
                return _pages.Map(root);
            }
        }

        return null;
    }

    /// <summary>Reads every head with its number, from the first.</summary>
    public IEnumerable<(long Number, byte[] Head)> AllHeads() => HeadsAfter(0);

    /// <summary>Reads the heads after a number.</summary>
    public IEnumerable<(long Number, byte[] Head)> HeadsAfter(long number) =>
        Stream($"SELECT mh_size, head FROM head WHERE mh_size > {number} ORDER BY mh_size", row => (row.Number(0), row.Bytes(1)));

    /// <summary>Reads each conflict's stored identifying digest, and its value.</summary>
    public IEnumerable<(byte[] Digest, byte[] Value)> AllConflictRows() =>
        Stream("SELECT digest, value FROM conflict ORDER BY seq", row => (row.Bytes(0), row.Bytes(1)));

    /// <summary>Reads heads from number <paramref name="from"/>, counted from 0, to before <paramref name="to"/>.</summary>
    public IEnumerable<TimedHead> HeadsBetween(long from, long to) => Stream(
        $"SELECT head, signed_at FROM head WHERE mh_size > {from} AND mh_size <= {to} ORDER BY mh_size",
        row => new TimedHead(LogHead.Parser.ParseFrom(row.Bytes(0)), row.Number(1)));

    /// <exception cref="InvalidDataException">No head was ever signed.</exception>
    public LogHead NewestHead() =>
        Stream("SELECT head FROM head ORDER BY mh_size DESC LIMIT 1", row => LogHead.Parser.ParseFrom(row.Bytes(0))).FirstOrDefault()
        ?? throw new InvalidDataException($"{_connection.DataSource} holds no head: the log was never served.");

    /// <summary>Reads the newest head that readers may see: while heads are withheld, the newest with its quorum of witnesses.</summary>
    /// <returns>The head, and its stored cosignatures; null without any.</returns>
    /// <exception cref="InvalidDataException">No head was ever signed.</exception>
    public (LogHead Head, CosignedHead? Cosigned) VisibleHead()
    {
        var cosigned = HasTable("cosigned") ? Stream("SELECT mh_size, log, map_heads, is_withheld FROM cosigned",
            row => new CosignedHead(row.Number(0), row.Bytes(1), row.Bytes(2), row.Number(3) is not 0)).FirstOrDefault() : null;
        var head = cosigned is { IsWithheld: true } ? HeadsBetween(cosigned.MapHeadSize - 1, cosigned.MapHeadSize).Single().Message
            : NewestHead();
        return (head, (ulong?)cosigned?.MapHeadSize == head.MHTreeSize ? cosigned : null);
    }

    /// <summary>Counts the conflicts up to the first with an entry that a log of <paramref name="size"/> entries lacks.</summary>
    public long CountConflicts(long size) => Stream(
        $"SELECT count(*) FROM conflict WHERE seq < (SELECT coalesce(min(seq), 1 << 62) FROM conflict WHERE idx >= {size})",
        row => row.Number(0)).First();

    /// <summary>Reads entries from one size to another.</summary>
    public IEnumerable<(long Index, Entry Entry)> AllEntries(long from, long to) => from == to ? [] : Stream(
        $"SELECT idx, key, value FROM entry WHERE idx >= {from} AND idx < {to} ORDER BY idx",
        row => (row.Number(0), new Entry(row.Bytes(1), row.Bytes(2))));

    /// <summary>Returns the size up to which entries are in the file's index.</summary>
    public long IndexedSize() => Math.Max(FiledSize(), Runs().Select(run => run.Last).DefaultIfEmpty().Max());

    /// <summary>Returns the size up to which entries are in <c>find</c>, where earlier versions wrote them.</summary>
    public long FiledSize() => Stream("SELECT size FROM indexed", row => row.Number(0)).FirstOrDefault();

    /// <summary>Finds the entries that the file's index has under a prefix.</summary>
    public List<long> FindFiled(long prefix)
    {
        var (found, runs) = (_find.All(row => row.Number(0), prefix), Runs());
        found.AddRange(runs.Count is 0 ? [] : _index!.Find(runs, prefix));
        return found;
    }

    /// <summary>Reads the rows of <c>find</c>.</summary>
    public IEnumerable<IndexRow> AllFiled() =>
        Stream("SELECT prefix, idx FROM find ORDER BY prefix, idx", row => new IndexRow(row.Number(0), row.Number(1)));

    /// <summary>Reads the rows of the index's runs.</summary>
    public IEnumerable<IndexRow> AllInRuns() => Runs().Count is 0 ? [] : _index!.AllRows();

    /// <summary>Returns the runs of the index.</summary>
    public List<IndexRun> Runs()
    {
        if (_runs is null)
        {
            _index ??= HasTable("find_run") ? new IndexRuns(_connection) : null;
            _runs = _index?.All() ?? [];
        }

        return _runs;
    }

    /// <summary>Reads the heads after a number whose map is stored.</summary>
    public IEnumerable<KeptMap> KeptMapsAfter(long head) => Stream(
        "SELECT map.head, root, prefix, map.signed_at IS head.signed_at, replaced FROM map LEFT JOIN head ON head.mh_size = map.head "
            + $"WHERE map.head > {head} ORDER BY map.head",
        row => new KeptMap(row.Number(0), row.Number(1), row.Number(2), row.Number(3) is not 0, KeptMap.NumbersOf(row.Bytes(4))));

    /// <summary>Returns the number of the oldest head whose map is stored; 0 when there is none.</summary>
    public long OldestMap() => Stream("SELECT coalesce(min(head), 0) FROM map", row => row.Number(0)).First();

    /// <summary>Reads the lists of pages to delete, by the head that replaced them.</summary>
    public IEnumerable<(long Head, byte[] Pages)> Garbage() => !HasTable("map_garbage") ? []
        : Stream("SELECT head, pages FROM map_garbage ORDER BY head", row => (row.Number(0), row.Bytes(1)));

    /// <summary>Reads the pages of the map after a number.</summary>
    public IEnumerable<(long Number, byte[] Page)> PagesAfter(long number) => Stream(
        $"SELECT number, page FROM map_page WHERE number > {number} ORDER BY number", row => (row.Number(0), row.Bytes(1)));

    public long Count(string table)
    {
        using var count = new Statement(_connection, $"SELECT count(*) FROM {table}");
        return count.First(row => row.Number(0));
    }

    public void Dispose()
    {
        foreach (var part in new IDisposable[] { _pages, _begin, _end, _entry, _find, _range, _rootsOf, _root, _conflicts })
        {
            part.Dispose();
        }

        _tile?.Dispose();
        _index?.Dispose();
        _connection.Dispose();
    }

    /// <summary>Reads tiles where they are in this state: a node may convert a file of the layout before at any time.</summary>
    private void FollowLayout()
    {
        if (_version is not LogDatabase.Version)
        {
            _version = Stream("PRAGMA user_version", row => row.Number(0)).First();
            _tile?.Dispose();
            _tile = new Statement(_connection, _version is LogDatabase.VersionBefore ? TileRow.FindOld : TileRow.Find);
        }
    }

    /// <summary>Whether the file has a table; that of an earlier version lacks some.</summary>
    private bool HasTable(string name) => Stream($"SELECT 1 FROM sqlite_schema WHERE name = '{name}'", _ => true).Any();

    /// <summary>Finds the entries under a prefix, by index.</summary>
    private IEnumerable<long> Find(long prefix) => FindFiled(prefix).Concat(_recent.Find(prefix)).Distinct().Order();

    /// <summary>Runs an unprepared query, and reads its rows one at a time.</summary>
    public IEnumerable<T> Stream<T>(string sql, Func<Row, T> read)
    {
        using var statement = new Statement(_connection, sql);
        foreach (var row in statement.Stream(read))
        {
            yield return row;
        }
    }

    private static Conflict ReadConflict(Row row) => new()
    {
        Key = UnsafeByteOperations.UnsafeWrap(row.Bytes(0)),
        Index = (ulong)row.Number(1),
        ValueDigest = WireMessage.ToBytes(Digest.Of(row.Bytes(2))),
        OtherValue = UnsafeByteOperations.UnsafeWrap(row.Bytes(3)),
        SeenAt = (ulong)row.Number(4),
        Signature = UnsafeByteOperations.UnsafeWrap(row.Bytes(5)),
    };

    private static Entry ReadEntry(Row row) => new(row.Bytes(0), row.Bytes(1));
}
