using System.Buffers.Binary;
using Microsoft.Data.Sqlite;
using TrustixProxy.TransparencyLog;

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
    private readonly Statement _begin, _end, _entry, _byDigest, _range, _tile, _page, _root;

    public LogReader(SqliteConnection connection)
    {
        _connection = connection;
        _begin = new Statement(connection, "BEGIN", 0);
        _end = new Statement(connection, "COMMIT", 0);
        _entry = new Statement(connection, "SELECT key, value FROM entry WHERE idx = $1", 1);
        _byDigest = new Statement(connection, "SELECT key, value FROM entry WHERE digest_prefix = $1", 1);
        _range = new Statement(connection, "SELECT key, value FROM entry WHERE idx BETWEEN $1 AND $2 ORDER BY idx", 2);
        _tile = new Statement(connection, "SELECT hashes FROM tile WHERE tree = $1 AND level = $2 AND idx = $3", 3);
        _page = new Statement(connection, "SELECT page, version FROM map_page WHERE address = $1 AND version <= $2 ORDER BY version DESC LIMIT 1", 2);
        _root = new Statement(connection, "SELECT head, tree_size FROM head WHERE root_prefix = $1", 1);
    }

    /// <summary>The first 8 bytes of a digest as a number, by which rows are found; the rest is compared after that.</summary>
    public static long Prefix(Digest digest) => BinaryPrimitives.ReadInt64BigEndian(digest.ToArray());

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

    public byte[]? FindTile(Tree tree, int level, long index) => _tile.First(row => row.GetFieldValue<byte[]>(0), (int)tree, level, index);

    /// <summary>A page of the map as it was under the head of this size, and the size at which it was written.</summary>
    public (byte[]? Bytes, long Version) FindPage(MapPageAddress address, long version) =>
        _page.First(row => (row.GetFieldValue<byte[]>(0), row.GetInt64(1)), address.ToBytes(), version);

    /// <summary>Size of the head with this map root; null when no head has it.</summary>
    public long? FindSizeOfMapRoot(Digest mapRoot)
    {
        foreach (var (bytes, size) in _root.All(row => (row.GetFieldValue<byte[]>(0), row.GetInt64(1)), Prefix(mapRoot)))
        {
            if (Digest.TryRead(TransparencyLog.Wire.LogHead.Parser.ParseFrom(bytes).MapRoot.Span, out var root) && root == mapRoot)
            {
                return size;
            }
        }

        return null;
    }

    public void Dispose()
    {
        foreach (var statement in new[] { _begin, _end, _entry, _byDigest, _range, _tile, _page, _root })
        {
            statement.Dispose();
        }

        _connection.Dispose();
    }

    private static Entry ReadEntry(SqliteDataReader row) => new(row.GetFieldValue<byte[]>(0), row.GetFieldValue<byte[]>(1));
}
