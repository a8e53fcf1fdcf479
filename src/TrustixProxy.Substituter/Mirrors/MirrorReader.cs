using Microsoft.Data.Sqlite;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Substituter.Mirrors;

/// <summary>Reads a mirror's tables through one connection. Not for several threads at once.</summary>
internal sealed class MirrorReader : IDisposable
{
    private readonly Prepared _size, _head, _leaf, _hashes, _nodes, _subtree, _below, _count, _paths;

    public MirrorReader(SqliteConnection connection)
    {
        const string below = "FROM leaf WHERE substr(path, 1, 8) BETWEEN $1 AND $2 AND number < $3";
        _size = new Prepared(connection, "SELECT coalesce(max(number) + 1, 0) FROM leaf", 0);
        _head = new Prepared(connection, "SELECT message FROM head", 0);
        _leaf = new Prepared(connection, "SELECT value_digest FROM leaf WHERE number = $1", 1);
        _hashes = new Prepared(connection, "SELECT hash FROM leaf WHERE number BETWEEN $1 AND $2 ORDER BY number", 2);
        _nodes = new Prepared(connection, "SELECT hash FROM node WHERE id BETWEEN $1 AND $2 ORDER BY id", 2);
        _subtree = new Prepared(connection, "SELECT hash FROM subtree WHERE prefix = $1", 1);
        _paths = new Prepared(connection, "SELECT path FROM leaf WHERE number >= $1 AND number < $2", 2);
        _below = new Prepared(connection, $"SELECT path, value_digest, number {below} ORDER BY number", 3);
        _count = new Prepared(connection, $"SELECT count(*) FROM (SELECT 1 {below} LIMIT $4)", 4);
    }

    /// <summary>How many entries of the log there are.</summary>
    public long Size => _size.First(row => row.GetInt64(0));

    /// <summary>The head whose map it is; null when there is none yet.</summary>
    public LogHead? Head => _head.First(row => row.GetFieldValue<byte[]>(0)) is { } bytes && WireMessage.TryParse(LogHead.Parser, bytes, out var head) ? head : null;

    /// <summary>Which number a full subtree of a level that is stored has.</summary>
    public static long NodeId(int level, long index) => ((long)level << 48) | index;

    public Digest ValueDigest(long number) => _leaf.First(row => new Digest(row.GetFieldValue<byte[]>(0)), number);

    /// <summary>The hash of a subtree of the map, if it is one of those that are stored.</summary>
    public Digest? FindSubtree(MapPrefix prefix) => _subtree.First(row => (Digest?)new Digest(row.GetFieldValue<byte[]>(0)), prefix.ToBytes());

    /// <summary>The map's leaves in a subtree, of the first <paramref name="size"/> entries, in the log's order.</summary>
    public IEnumerable<MapLeaf> LeavesIn(MapPrefix prefix, long size)
    {
        var (first, last) = prefix.Range();
        return _below.Stream(LeafOf, first, last, size).Where(leaf => prefix.Holds(leaf.Path));
    }

    /// <summary>Whether a subtree has more than so many leaves, as far as eight bytes of their paths tell.</summary>
    public bool HasMoreIn(MapPrefix prefix, long size, int limit)
    {
        var (first, last) = prefix.Range();
        return _count.First(row => row.GetInt64(0), first, last, size, limit + 1L) > limit;
    }

    /// <summary>The paths of these entries.</summary>
    public List<Digest> Paths(long from, long to) => [.. _paths.Stream(row => new Digest(row.GetFieldValue<byte[]>(0)), from, to)];

    /// <summary>Full subtrees of the log: every fourth level is stored, what is between is hashed.</summary>
    public Digest Subtree(int level, long index)
    {
        var (stored, inner) = (level - (level % MirrorStore.NodeLevels), level % MirrorStore.NodeLevels);
        var (first, last) = (index << inner, ((index + 1) << inner) - 1);
        var hashes = (stored is 0
            ? _hashes.Stream(row => new Digest(row.GetFieldValue<byte[]>(0)), first, last)
            : _nodes.Stream(row => new Digest(row.GetFieldValue<byte[]>(0)), NodeId(stored, first), NodeId(stored, last))).ToArray();
        if (hashes.Length != 1 << inner)
        {
            throw new InvalidDataException($"The mirror lacks nodes {first} to {last} of level {stored}: its file is damaged. Delete it, and the log is followed from its beginning.");
        }

        for (var count = hashes.Length / 2; count > 0; count /= 2)
        {
            for (var i = 0; i < count; i++)
            {
                hashes[i] = MerkleHash.Node(hashes[2 * i], hashes[(2 * i) + 1]);
            }
        }

        return hashes[0];
    }

    public void Dispose()
    {
        foreach (var statement in new[] { _size, _head, _leaf, _hashes, _nodes, _subtree, _below, _count, _paths })
        {
            statement.Dispose();
        }
    }

    private static MapLeaf LeafOf(SqliteDataReader row)
    {
        var (path, valueDigest, number) = (new Digest(row.GetFieldValue<byte[]>(0)), new Digest(row.GetFieldValue<byte[]>(1)), row.GetInt64(2));
        return new MapLeaf(path, Digest.Of(new MapEntry(valueDigest, number).ToBytes()), number);
    }
}
