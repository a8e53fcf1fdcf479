using System.Buffers.Binary;
using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>Reads a mirror's tables through one connection. Not thread-safe.</summary>
/// <remarks>Caches the nodes near the roots, which many proofs share, until the file changes.</remarks>
public sealed class MirrorReader : IDisposable
{
    private const int NodesTogether = 1 << MirrorStore.NodeLevels;

    /// <summary>Maximum number of cached node groups; a full cache is cleared. Groups of leaves are not cached, because few proofs share
    /// one.</summary>
    private const int MaxKeptNodes = 1000;

    /// <summary>Caches subtrees of the map down to this depth.</summary>
    private const int MaxKeptDepth = 11;

    /// <summary>From this number of entries on, it is asked first whether any two share the first 8 bytes of their paths.</summary>
    private const int MaxComparedSingly = 10_000;

    private readonly Statement _version, _size, _head, _leaf, _hashes, _nodes, _subtree, _halves, _below, _count, _paths, _path, _repeat;
    private readonly Dictionary<MapPrefix, (Digest? Left, Digest? Right)> _keptHalves = [];
    private readonly Dictionary<long, Digest[]> _keptNodes = [];
    private readonly SqliteConnection _connection;
    private readonly bool _isKeeping;
    private LogHead? _keptHead;
    private long _keptVersion = -1;

    /// <param name="isKeeping">Whether to cache nodes; false for the connection that also writes.</param>
    public MirrorReader(SqliteConnection connection, bool isKeeping)
    {
        (_connection, _isKeeping) = (connection, isKeeping);
        _version = new Statement(connection, "PRAGMA data_version");
        const string below = "FROM leaf WHERE substr(path, 1, 8) BETWEEN $1 AND $2 AND number < $3";
        _size = new Statement(connection, "SELECT coalesce(max(number) + 1, 0) FROM leaf");
        _head = new Statement(connection, "SELECT message FROM head");
        _leaf = new Statement(connection, "SELECT value_digest FROM leaf WHERE number = $1");
        _hashes = new Statement(connection, "SELECT number, hash FROM leaf WHERE number BETWEEN $1 AND $2 ORDER BY number");
        _nodes = new Statement(connection, "SELECT id, hash FROM node WHERE id BETWEEN $1 AND $2 ORDER BY id");
        _subtree = new Statement(connection, "SELECT hash FROM subtree WHERE prefix = $1");
        _halves = new Statement(connection, "SELECT prefix, hash FROM subtree WHERE prefix BETWEEN $1 AND $2");
        _paths = new Statement(connection, "SELECT path FROM leaf WHERE number >= $1 AND number < $2");
        _repeat = new Statement(connection, """
            SELECT again.number, first.number FROM leaf AS again CROSS JOIN leaf AS first
            WHERE again.number >= $1 AND again.number < $2 AND again.path <> x''
              AND substr(first.path, 1, 8) = substr(again.path, 1, 8) AND first.path = again.path AND first.number < again.number
            LIMIT 1
            """);
        _path = new Statement(connection, "SELECT path FROM leaf WHERE store_path = $1 AND number < $2 ORDER BY number LIMIT 1");
        _below = new Statement(connection, $"SELECT path, value_digest, number {below}");
        _count = new Statement(connection, $"SELECT count(*) FROM (SELECT 1 {below} LIMIT $4)");
    }

    /// <summary>Number of entries of the log.</summary>
    public long Size => _size.First(row => row.Number(0));

    /// <summary>The head whose map is stored; null before the first.</summary>
    public LogHead? Head
    {
        get
        {
            var head = _keptHead ?? (
                _head.First(row => row.Bytes(0)) is { } bytes && WireMessage.TryParse(LogHead.Parser, bytes, out var read) ? read : null);
            _keptHead = _isKeeping ? head : null;
            return head;
        }
    }

    /// <summary>Returns the number of a full subtree on a stored level.</summary>
    public static long NodeId(int level, long index) => ((long)level << 48) | index;

    /// <summary>Returns the stored prefix of a store path's digest: its first four bytes.</summary>
    public static int PrefixOf(StorePathDigest digest) => BinaryPrimitives.ReadInt32BigEndian(digest.ToBytes());

    /// <summary>Finds the first entry whose key looks like the store path with this digest, among the first <paramref name="size"/>
    /// entries. Compares four bytes; returns the entry's path in the map, or null.</summary>
    public Digest? FindPathOf(StorePathDigest digest, long size) =>
        _path.First(row => (Digest?)new Digest(row.Span(0)), (long)PrefixOf(digest), size);

    public Digest ValueDigest(long number) => _leaf.First(row => new Digest(row.Span(0)), number);

    /// <summary>Finds the stored hash of a subtree of the map; null when it is not stored.</summary>
    public Digest? FindSubtree(MapPrefix prefix) => _subtree.First(row => (Digest?)new Digest(row.Span(0)), prefix.ToBytes());

    /// <summary>Finds the stored hashes of a subtree's halves; null for a half that is not stored.</summary>
    public (Digest? Left, Digest? Right) FindHalves(MapPrefix prefix)
    {
        if (_keptHalves.TryGetValue(prefix, out var known))
        {
            return known;
        }

        var (left, right, halves) = (prefix.Half(false).ToBytes(), prefix.Half(true).ToBytes(), default((Digest? Left, Digest? Right)));
        foreach (var (at, hash) in _halves.Stream(row => (row.Bytes(0), new Digest(row.Span(1))), left, right))
        {
            halves = at.AsSpan().SequenceEqual(left) ? halves with { Left = hash } : halves with { Right = hash };
        }

        if (_isKeeping && prefix.Depth <= MaxKeptDepth)
        {
            _keptHalves.Add(prefix, halves);
        }

        return halves;
    }

    /// <summary>Returns the map's leaves in a subtree, among the first <paramref name="size"/> entries, unordered.</summary>
    public MapLeaf[] LeavesIn(MapPrefix prefix, long size)
    {
        var (first, last) = prefix.Range();
        return [.. _below.Stream(LeafOf, first, last, size).Where(leaf => prefix.Holds(leaf.Path))];
    }

    /// <summary>Whether a subtree has more than <paramref name="limit"/> leaves. Down to depth 64 eight bytes of each path decide; below,
    /// the whole path does.</summary>
    public bool HasMoreIn(MapPrefix prefix, long size, int limit)
    {
        var (first, last) = prefix.Range();
        if (prefix.Depth > 64)
        {
            return _below.Stream(row => new Digest(row.Span(0)), first, last, size).Where(prefix.Holds).Skip(limit).Any();
        }

        return _count.First(row => row.Number(0), first, last, size, limit + 1L) > limit;
    }

    /// <summary>Finds an entry in this range whose key an earlier entry already has, and that earlier entry; null when no key
    /// repeats.</summary>
    public (long Again, long First)? FindRepeat(long from, long to) => to - from > MaxComparedSingly && !AnyShareBeginning() ? null
        : _repeat.First(row => ((long, long)?)(row.Number(0), row.Number(1)), from, to);

    /// <summary>Returns the path in the map of an entry's key.</summary>
    public Digest PathOf(long number) => Paths(number, number + 1)[0];

    /// <summary>Returns the map paths of these entries.</summary>
    public List<Digest> Paths(long from, long to) => [.. _paths.Stream(row => new Digest(row.Span(0)), from, to)];

    /// <summary>Returns the root of a full subtree of the log. Every fourth level is stored; levels between are computed.</summary>
    public Digest Subtree(int level, long index)
    {
        var (stored, inner) = (level - (level % MirrorStore.NodeLevels), level % MirrorStore.NodeLevels);
        var (nodes, first, count) = (
            NodesOf(stored, index >> (MirrorStore.NodeLevels - inner)), (int)((index << inner) % NodesTogether), 1 << inner);
        if (nodes.Length < first + count)
        {
            throw Damaged(stored, index << inner);
        }

        return MerkleTree.RootOf(nodes.AsSpan(first, count));
    }

    /// <summary>Drops the cache if another connection has changed the file. Call it at the start of a reading transaction.</summary>
    public void Refresh()
    {
        var version = _version.First(row => row.Number(0));
        if (version != _keptVersion)
        {
            _keptHalves.Clear();
            _keptNodes.Clear();
            _keptHead = null;
            _keptVersion = version;
        }
    }

    public void Dispose()
    {
        foreach (var statement in new[] { _version, _size, _head, _leaf, _hashes, _nodes, _subtree, _halves, _below, _count, _paths, _path,
            _repeat })
        {
            statement.Dispose();
        }
    }

    /// <summary>Whether two entries share the first 8 bytes of their paths: reads the index alone, from its beginning to its end.</summary>
    private bool AnyShareBeginning()
    {
        using var shared = new Statement(
            _connection, "SELECT 1 FROM leaf GROUP BY substr(path, 1, 8) HAVING count(*) > 1 LIMIT 1");
        return shared.First(_ => true);
    }

    /// <summary>Returns the nodes of a stored level under one node of the next stored level; fewer at the log's right edge.</summary>
    private Digest[] NodesOf(int stored, long parent)
    {
        var (id, first) = (NodeId(stored, parent), stored is 0 ? parent * NodesTogether : NodeId(stored, parent * NodesTogether));
        if (_keptNodes.TryGetValue(id, out var known))
        {
            return known;
        }

        var nodes = new List<Digest>(NodesTogether);
        foreach (var (number, hash) in (stored is 0 ? _hashes : _nodes)
            .Stream(row => (row.Number(0), new Digest(row.Span(1))), first, first + NodesTogether - 1))
        {
            nodes.Add(number == first + nodes.Count ? hash : throw Damaged(stored, (parent * NodesTogether) + nodes.Count));
        }

        Digest[] all = [.. nodes];
        if (_isKeeping && stored > 0)
        {
            if (_keptNodes.Count >= MaxKeptNodes)
            {
                _keptNodes.Clear();
            }

            _keptNodes.Add(id, all);
        }

        return all;
    }

    private static InvalidDataException Damaged(int level, long index) =>
        new($"The mirror lacks node {index} of level {level}: its file is damaged. Delete it; the log is then mirrored again from "
            + $"the start.");

    private static MapLeaf LeafOf(Row row)
    {
        var (path, valueDigest, number) = (new Digest(row.Span(0)), new Digest(row.Span(1)), row.Number(2));
        return new MapLeaf(path, Digest.Of(new MapEntry(valueDigest, number).ToBytes()), number);
    }
}
