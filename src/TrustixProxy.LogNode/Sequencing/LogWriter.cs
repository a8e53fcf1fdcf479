using Google.Protobuf;
using Microsoft.Data.Sqlite;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;
using LogHead = TrustixProxy.TransparencyLog.Wire.LogHead;

namespace TrustixProxy.LogNode.Sequencing;

/// <summary>The one writer of a log's file. What it says is done is on the disk; a batch and its head are one transaction.</summary>
internal sealed class LogWriter : IDisposable
{
    /// <summary>The most entries under one new head.</summary>
    public const int BatchSize = 500;

    private readonly SqliteConnection _connection;
    private readonly LogSigner _signer;
    private readonly TimeProvider _time;
    private readonly MapPages _pages;
    private readonly Statement _begin, _commit, _rollback, _enqueue, _next, _dequeue, _entry, _find, _tile, _head, _supersede, _expired, _dropSuperseded;
    private TileFrontier _log, _mapHeads;

    public LogWriter(LogDatabase database, LogSigner signer, TimeProvider time)
    {
        (_connection, _signer, _time) = (database.Writer, signer, time);
        _pages = new MapPages(_connection);
        _begin = new Statement(_connection, "BEGIN IMMEDIATE", 0);
        _commit = new Statement(_connection, "COMMIT", 0);
        _rollback = new Statement(_connection, "ROLLBACK", 0);
        _enqueue = new Statement(_connection, "INSERT INTO queue (key, value) VALUES ($1, $2)", 2);
        _next = new Statement(_connection, $"SELECT seq, key, value FROM queue ORDER BY seq LIMIT {BatchSize}", 0);
        _dequeue = new Statement(_connection, "DELETE FROM queue WHERE seq <= $1", 1);
        _entry = new Statement(_connection, "INSERT INTO entry (idx, key, value, digest_prefix) VALUES ($1, $2, $3, $4)", 4);
        _find = new Statement(_connection, "SELECT hashes FROM tile WHERE tree = $1 AND level = $2 AND idx = $3", 3);
        _tile = new Statement(_connection, "INSERT OR REPLACE INTO tile (tree, level, idx, hashes) VALUES ($1, $2, $3, $4)", 4);
        _head = new Statement(_connection, "INSERT INTO head (mh_size, tree_size, head, root_prefix, signed_at) VALUES ($1, $2, $3, $4, $5)", 5);
        _supersede = new Statement(_connection, "INSERT INTO superseded (version, pages) VALUES ($1, $2)", 2);
        _expired = new Statement(
            _connection,
            "SELECT version, pages FROM superseded WHERE version <= (SELECT max(tree_size) FROM head WHERE signed_at <= $1) ORDER BY version LIMIT 100", 1);
        _dropSuperseded = new Statement(_connection, "DELETE FROM superseded WHERE version = $1", 1);
        Head = Start();
        _log = Frontier(Tree.Log, Head.Size);
        _mapHeads = Frontier(Tree.MapHeads, Head.MapHeadSize);
    }

    /// <summary>The newest head; durable.</summary>
    public PublishedHead Head { get; private set; }

    /// <summary>Puts items on the queue, durably, all or none.</summary>
    public void Enqueue(IEnumerable<Entry> items) => InTransaction(() =>
    {
        foreach (var item in items)
        {
            _enqueue.Run(item.Key, item.Value);
        }
    });

    /// <summary>Takes the next batch off the queue and into the log, and signs a head over it; answers how many items were taken, 0 when the queue is empty.</summary>
    /// <remarks>A key that the log has already keeps its first value; when nothing is new, no head is signed.</remarks>
    public int Sequence()
    {
        var items = _next.All(row => (Seq: row.GetInt64(0), Key: row.GetFieldValue<byte[]>(1), Value: row.GetFieldValue<byte[]>(2)));
        if (items.Count is 0)
        {
            return 0;
        }

        try
        {
            PublishedHead? head = null;
            InTransaction(() =>
            {
                head = Append(items.Select(item => new Entry(item.Key, item.Value)));
                _dequeue.Run(items[^1].Seq);
            });
            Head = head ?? Head;
        }
        catch
        {
            // The transaction is gone: what was hashed in memory goes with it.
            _pages.Forget();
            (_log, _mapHeads) = (Frontier(Tree.Log, Head.Size), Frontier(Tree.MapHeads, Head.MapHeadSize));
            throw;
        }

        return items.Count;
    }

    /// <summary>Drops pages of the map that only heads older than <paramref name="window"/> need; answers whether there may be more.</summary>
    public bool Reclaim(TimeSpan window)
    {
        var expired = _expired.All(row => (Version: row.GetInt64(0), Pages: row.GetFieldValue<byte[]>(1)), (_time.GetUtcNow() - window).ToUnixTimeMilliseconds());
        if (expired.Count > 0)
        {
            InTransaction(() =>
            {
                foreach (var (version, pages) in expired)
                {
                    _pages.Drop(pages);
                    _dropSuperseded.Run(version);
                }
            });
        }

        return expired.Count is 100;
    }

    public void Dispose()
    {
        foreach (var statement in new[] { _begin, _commit, _rollback, _enqueue, _next, _dequeue, _entry, _find, _tile, _head, _supersede, _expired, _dropSuperseded })
        {
            statement.Dispose();
        }

        _pages.Dispose();
    }

    /// <summary>The newest stored head, or the first one of a new log: that of the empty log.</summary>
    private PublishedHead Start()
    {
        using var newest = new Statement(_connection, "SELECT head FROM head ORDER BY mh_size DESC LIMIT 1", 0);
        if (newest.First(row => row.GetFieldValue<byte[]>(0)) is { } stored)
        {
            var head = LogHead.Parser.ParseFrom(stored);
            return SignedTreeHead.TryRead(head, out var read, out _) && _signer.Key.TryVerify(read, out _, out _)
                ? new PublishedHead(head)
                : throw new InvalidDataException($"{_connection.DataSource} holds a log that was begun with another key than {_signer.Key}: a log keeps its key for life.");
        }

        (_log, _mapHeads) = (Frontier(Tree.Log, 0), Frontier(Tree.MapHeads, 0));
        PublishedHead? first = null;
        InTransaction(() => first = Sign(mapRoot: default));
        return first!;
    }

    private TileFrontier Frontier(Tree tree, long size) =>
        new(size, (level, index) => _find.First(row => row.GetFieldValue<byte[]>(0), (int)tree, level, index));

    private PublishedHead? Append(IEnumerable<Entry> entries)
    {
        var version = _log.Size;
        var map = _pages.Open();
        foreach (var entry in entries)
        {
            var mapEntry = new MapEntry(entry.ValueDigest, _log.Size);
            if (map.TryInsert(new MapLeaf(Digest.Of(entry.Key), Digest.Of(mapEntry.ToBytes()), mapEntry.Index)))
            {
                _entry.Run(mapEntry.Index, entry.Key, entry.Value, LogReader.Prefix(entry.ValueDigest));
                _log.Append(MerkleHash.LogLeaf(entry.Key, entry.ValueDigest));
            }
        }

        if (_log.Size == version)
        {
            return null;
        }

        var mapRoot = map.Commit(out var changed);
        _supersede.Run(_log.Size, _pages.Write(changed, _log.Size));
        return Sign(mapRoot);
    }

    /// <summary>Adds the map root to the map-head log, and signs all three roots.</summary>
    private PublishedHead Sign(Digest mapRoot)
    {
        _mapHeads.Append(MerkleHash.MapHeadLeaf(mapRoot));
        WriteTiles(Tree.Log, _log);
        WriteTiles(Tree.MapHeads, _mapHeads);
        var content = new TreeHead(_log.Root(), _log.Size, mapRoot, _mapHeads.Root(), _mapHeads.Size);
        var head = _signer.Sign(content).ToMessage();
        _head.Run(content.MapHeadSize, content.TreeSize, head.ToByteArray(), LogReader.Prefix(mapRoot), _time.GetUtcNow().ToUnixTimeMilliseconds());
        return new PublishedHead(head);
    }

    private void WriteTiles(Tree tree, TileFrontier frontier)
    {
        foreach (var ((level, index), hashes) in frontier.TakeChanges())
        {
            _tile.Run((int)tree, level, index, hashes);
        }
    }

    private void InTransaction(Action act)
    {
        _begin.Run();
        try
        {
            act();
            _commit.Run();
        }
        catch
        {
            Rollback();
            throw;
        }
    }

    private void Rollback()
    {
        try
        {
            _rollback.Run();
        }
        catch (SqliteException)
        {
            // On some faults, a full disk among them, SQLite has rolled back by itself.
        }
    }
}
