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
    private readonly Statement _begin, _end, _entry, _byDigest, _range, _path, _tile, _page, _root, _conflicts, _conflictCount;

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
        _conflictCount = new Statement(connection, "SELECT count(*) FROM conflict", 0);
        _tile = new Statement(connection, "SELECT hashes FROM tile WHERE tree = $1 AND level = $2 AND idx = $3", 3);
        _page = new Statement(connection, "SELECT page, version FROM map_page WHERE address = $1 AND version <= $2 ORDER BY version DESC LIMIT 1", 2);
        _root = new Statement(connection, "SELECT head, tree_size FROM head WHERE root_prefix = $1", 1);
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

    public long CountConflicts() => _conflictCount.First(row => row.GetInt64(0));

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

    /// <summary>Size of the head with this map root; null when no head has it.</summary>
    public long? FindSizeOfMapRoot(Digest mapRoot)
    {
        foreach (var (bytes, size) in _root.All(row => (row.GetFieldValue<byte[]>(0), row.GetInt64(1)), Prefix(mapRoot)))
        {
            if (Digest.TryRead(LogHead.Parser.ParseFrom(bytes).MapRoot.Span, out var root) && root == mapRoot)
            {
                return size;
            }
        }

        return null;
    }

    public void Dispose()
    {
        foreach (var statement in new[] { _begin, _end, _entry, _byDigest, _range, _path, _tile, _page, _root, _conflicts, _conflictCount })
        {
            statement.Dispose();
        }

        _connection.Dispose();
    }

    private static Entry ReadEntry(SqliteDataReader row) => new(row.GetFieldValue<byte[]>(0), row.GetFieldValue<byte[]>(1));
}
