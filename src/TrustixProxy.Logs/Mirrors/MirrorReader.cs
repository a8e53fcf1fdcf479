using System.Buffers.Binary;
using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Wire;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>Reads a mirror's tables through one connection. Not for several threads at once.</summary>
/// <remarks>What many proofs have in common, the nodes near the roots, can be kept in memory while the file is as it was.</remarks>
public sealed class MirrorReader : IDisposable
{
    private const int NodesTogether = 1 << MirrorStore.NodeLevels;

    /// <summary>The most groups of the log's nodes that are kept in memory; then it is begun anew. Those of leaves are not: few proofs have
    /// one in common.</summary>
    private const int MaxKeptNodes = 1000;

    /// <summary>The map's subtrees are kept in memory down to this depth.</summary>
    private const int MaxKeptDepth = 11;

    private readonly Statement _version, _size, _head, _leaf, _hashes, _nodes, _subtree, _halves, _below, _count, _paths, _path, _repeat;
    private readonly Dictionary<MapPrefix, (Digest? Left, Digest? Right)> _keptHalves = [];
    private readonly Dictionary<long, Digest[]> _keptNodes = [];
    private readonly bool _isKeeping;
    private LogHead? _keptHead;
    private long _keptVersion = -1;

    /// <param name="connection">The connection.</param>
    /// <param name="isKeeping">Whether nodes are kept in memory: not if the connection also writes.</param>
    public MirrorReader(SqliteConnection connection, bool isKeeping)
    {
        _isKeeping = isKeeping;
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

    /// <summary>How many entries of the log there are.</summary>
    public long Size => _size.First(row => row.Number(0));

    /// <summary>The head whose map it is; null when there is none yet.</summary>
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

    /// <summary>Which number a full subtree of a level that is stored has.</summary>
    public static long NodeId(int level, long index) => ((long)level << 48) | index;

    /// <summary>What is kept of the digest of a store path.</summary>
    public static int PrefixOf(StorePathDigest digest) => BinaryPrimitives.ReadInt32BigEndian(digest.ToBytes());

    /// <summary>The path in the map of the first entry, of the first <paramref name="size"/>, whose key seems to be a store path with this
    /// digest: as far as four bytes tell; null when there is none.</summary>
    public Digest? FindPathOf(StorePathDigest digest, long size) =>
        _path.First(row => (Digest?)new Digest(row.Span(0)), (long)PrefixOf(digest), size);

    public Digest ValueDigest(long number) => _leaf.First(row => new Digest(row.Span(0)), number);

    /// <summary>The hash of a subtree of the map, if it is one of those that are stored.</summary>
    public Digest? FindSubtree(MapPrefix prefix) => _subtree.First(row => (Digest?)new Digest(row.Span(0)), prefix.ToBytes());

    /// <summary>The hashes of a subtree's halves, each if it is one of those that are stored.</summary>
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

    /// <summary>The map's leaves in a subtree, of the first <paramref name="size"/> entries, in no order.</summary>
    public MapLeaf[] LeavesIn(MapPrefix prefix, long size)
    {
        var (first, last) = prefix.Range();
        return [.. _below.Stream(LeafOf, first, last, size).Where(leaf => prefix.Holds(leaf.Path))];
    }

    /// <summary>Whether a subtree has more than so many leaves. Eight bytes of their paths tell that down to depth 64; below, the whole
    /// paths do.</summary>
    public bool HasMoreIn(MapPrefix prefix, long size, int limit)
    {
        var (first, last) = prefix.Range();
        if (prefix.Depth > 64)
        {
            return _below.Stream(row => new Digest(row.Span(0)), first, last, size).Where(prefix.Holds).Skip(limit).Any();
        }

        return _count.First(row => row.Number(0), first, last, size, limit + 1L) > limit;
    }

    /// <summary>An entry among these whose key an earlier entry has, and that earlier entry; null when no key is repeated.</summary>
    public (long Again, long First)? FindRepeat(long from, long to) =>
        _repeat.First(row => ((long, long)?)(row.Number(0), row.Number(1)), from, to);

    /// <summary>Where in the map the key of an entry is.</summary>
    public Digest PathOf(long number) => Paths(number, number + 1)[0];

    /// <summary>The paths of these entries.</summary>
    public List<Digest> Paths(long from, long to) => [.. _paths.Stream(row => new Digest(row.Span(0)), from, to)];

    /// <summary>Full subtrees of the log: every fourth level is stored, what is between is hashed.</summary>
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

    /// <summary>Forgets what it has in memory if another connection has changed the file; to be called at the beginning of a transaction
    /// that reads.</summary>
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

    /// <summary>The nodes of a stored level that have one ancestor at the next: fewer at the log's right edge.</summary>
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
        new($"The mirror lacks node {index} of level {level}: its file is damaged. Delete it, and the log is followed from its beginning.");

    private static MapLeaf LeafOf(Row row)
    {
        var (path, valueDigest, number) = (new Digest(row.Span(0)), new Digest(row.Span(1)), row.Number(2));
        return new MapLeaf(path, Digest.Of(new MapEntry(valueDigest, number).ToBytes()), number);
    }
}
