using System.Buffers.Binary;
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
    private readonly Statement _begin, _end, _entry, _byDigest, _range, _path, _tile, _page, _root, _isKept, _conflicts;

    public LogReader(SqliteConnection connection)
    {
        _connection = connection;
        _begin = new Statement(connection, "BEGIN", 0);
        _end = new Statement(connection, "COMMIT", 0);
        _entry = new Statement(connection, "SELECT key, value FROM entry WHERE idx = $1", 1);
        _byDigest = new Statement(connection, "SELECT key, value FROM entry WHERE digest_prefix = $1", 1);
        _range = new Statement(connection, "SELECT key, value FROM entry WHERE idx BETWEEN $1 AND $2 ORDER BY idx", 2);
        _path = new Statement(connection, "SELECT key FROM path JOIN entry USING (idx) WHERE prefix = $1 AND idx < $2 ORDER BY idx", 2);
        _conflicts = new Statement(
            connection,
            "SELECT e.key, e.idx, e.value, c.value, c.seen_at, c.signature FROM conflict AS c JOIN entry AS e ON e.idx = c.idx WHERE c.seq > $1 ORDER BY c.seq LIMIT $2", 2);
        _tile = new Statement(connection, "SELECT hashes FROM tile WHERE tree = $1 AND level = $2 AND idx = $3", 3);
        _page = new Statement(connection, "SELECT page, version FROM map_page WHERE address = $1 AND version <= $2 ORDER BY version DESC LIMIT 1", 2);
        _root = new Statement(connection, "SELECT head, mh_size FROM head WHERE root_prefix = $1", 1);
        _isKept = new Statement(connection, "SELECT NOT EXISTS (SELECT 1 FROM head WHERE mh_size = $1) OR EXISTS (SELECT 1 FROM superseded WHERE version = (SELECT tree_size FROM head WHERE mh_size = $1))", 1);
    }

    /// <summary>The first 8 bytes of a digest as a number, by which rows are found; the rest is compared after that.</summary>
    public static long Prefix(Digest digest) => BinaryPrimitives.ReadInt64BigEndian(digest.ToArray());

    /// <summary>The same of a store path's digest.</summary>
    public static long Prefix(StorePathDigest digest) => BinaryPrimitives.ReadInt64BigEndian(digest.ToBytes());

    public T InOneState<T>(Func<LogReader, T> read)
    {
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
    public byte[]? FindValue(Digest digest) => _byDigest.All(ReadEntry, Prefix(digest)).Find(entry => entry.ValueDigest == digest)?.Value;

    /// <summary>Keys of the log's first <paramref name="size"/> entries that are store paths with this digest.</summary>
    public IEnumerable<byte[]> FindKeysOfPath(StorePathDigest digest, long size) =>
        _path.All(row => row.GetFieldValue<byte[]>(0), Prefix(digest), size).Where(key => EntryRows.PathDigestOf(key) == digest);

    public long CountConflicts() => Count("conflict");

    /// <summary>Conflicts from number <paramref name="start"/> on, counted from 0.</summary>
    public List<Conflict> FindConflicts(long start, int most) => _conflicts.All(
        row => new Conflict
        {
            Key = UnsafeByteOperations.UnsafeWrap(row.GetFieldValue<byte[]>(0)),
            Index = (ulong)row.GetInt64(1),
            ValueDigest = WireMessage.ToBytes(Digest.Of(row.GetFieldValue<byte[]>(2))),
            OtherValue = UnsafeByteOperations.UnsafeWrap(row.GetFieldValue<byte[]>(3)),
            SeenAt = (ulong)row.GetInt64(4),
            Signature = UnsafeByteOperations.UnsafeWrap(row.GetFieldValue<byte[]>(5)),
        },
        start, most);

    public byte[]? FindTile(Tree tree, int level, long index) => _tile.First(row => row.GetFieldValue<byte[]>(0), (int)tree, level, index);

    /// <summary>A page of the map as it was under the head of this size, and the size at which it was written.</summary>
    public (byte[]? Bytes, long Version) FindPage(MapPageAddress address, long version) =>
        _page.First(row => (row.GetFieldValue<byte[]>(0), row.GetInt64(1)), address.ToBytes(), version);

    /// <summary>Size of the head with this map root; null when no head has it, or the map's pages of that time are gone.</summary>
    public long? FindSizeOfMapRoot(Digest mapRoot)
    {
        foreach (var (bytes, number) in _root.All(row => (row.GetFieldValue<byte[]>(0), row.GetInt64(1)), Prefix(mapRoot)))
        {
            var head = LogHead.Parser.ParseFrom(bytes);
            if (Digest.TryRead(head.MapRoot.Span, out var root) && root == mapRoot && IsKept(number))
            {
                return (long)head.TreeSize;
            }
        }

        return null;
    }

    /// <summary>Whether the map can still be read as it was under the head of this number.</summary>
    public bool IsKept(long number) => _isKept.First(row => row.GetBoolean(0), number + 1);

    /// <summary>Every head with its number, from the first on.</summary>
    public IEnumerable<(long Number, byte[] Head)> AllHeads() => Stream("SELECT mh_size, head FROM head ORDER BY mh_size", row => (row.GetInt64(0), row.GetFieldValue<byte[]>(1)));

    /// <summary>Heads from number <paramref name="from"/>, counted from 0, to before <paramref name="to"/>.</summary>
    public IEnumerable<TimedHead> HeadsBetween(long from, long to) => Stream(
        $"SELECT head, signed_at FROM head WHERE mh_size > {from} AND mh_size <= {to} ORDER BY mh_size",
        row => new TimedHead(LogHead.Parser.ParseFrom(row.GetFieldValue<byte[]>(0)), row.GetInt64(1)));

    /// <exception cref="InvalidDataException">No head was ever signed.</exception>
    public LogHead NewestHead() => Stream("SELECT head FROM head ORDER BY mh_size DESC LIMIT 1", row => LogHead.Parser.ParseFrom(row.GetFieldValue<byte[]>(0))).FirstOrDefault()
        ?? throw new InvalidDataException($"{_connection.DataSource} holds no head: the log was never served.");

    /// <summary>Entries from one size to another, with the number by which their digest is found.</summary>
    public IEnumerable<(long Index, Entry Entry, long Prefix)> AllEntries(long from, long to) => from == to ? [] : Stream(
        $"SELECT idx, key, value, digest_prefix FROM entry WHERE idx >= {from} AND idx < {to} ORDER BY idx",
        row => (row.GetInt64(0), new Entry(row.GetFieldValue<byte[]>(1), row.GetFieldValue<byte[]>(2)), row.GetInt64(3)));

    /// <summary>A page of the map as it is stored for <paramref name="version"/> or before, and whether no later one is.</summary>
    public (byte[]? Bytes, long Version, bool IsNewest) FindPageVersion(MapPageAddress address, long version)
    {
        var (bytes, found) = FindPage(address, version);
        return (bytes, found, FindPage(address, long.MaxValue).Version == found);
    }

    public long Count(string table)
    {
        using var count = new Statement(_connection, $"SELECT count(*) FROM {table}", 0);
        return count.First(row => row.GetInt64(0));
    }

    public void Dispose()
    {
        foreach (var statement in new[] { _begin, _end, _entry, _byDigest, _range, _path, _tile, _page, _root, _isKept, _conflicts })
        {
            statement.Dispose();
        }

        _connection.Dispose();
    }

    /// <summary>Rows of a query of its own, one at a time.</summary>
    private IEnumerable<T> Stream<T>(string sql, Func<SqliteDataReader, T> read)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            yield return read(reader);
        }
    }

    private static Entry ReadEntry(SqliteDataReader row) => new(row.GetFieldValue<byte[]>(0), row.GetFieldValue<byte[]>(1));
}
