using Google.Protobuf;
using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Logs.Mirrors;

/// <summary>An entry of a mirrored log, without its key.</summary>
/// <param name="Path">SHA-256 of the key.</param>
/// <param name="ValueDigest">SHA-256 of the value.</param>
/// <param name="Hash">The leaf's hash in the log.</param>
/// <param name="StorePath">The store path's digest, when the key is a store path; otherwise null.</param>
public readonly record struct MirrorLeaf(Digest Path, Digest ValueDigest, Digest Hash, StorePathDigest? StorePath);

/// <summary>Stores a mirrored log in its own file: per entry three hashes and four bytes of its store path's digest. Adds every fourth
/// level of the log's nodes, and the map's subtrees with many leaves.</summary>
/// <remarks>Keys and values are not stored. Other hashes are recomputed when needed; a proof takes some dozen.</remarks>
public sealed class MirrorStore : IDisposable
{
    /// <summary>Number of log levels from one stored level to the next.</summary>
    public const int NodeLevels = 4;

    private readonly SqliteConnection _writing, _reading;
    private readonly Statement _begin, _end, _addLeaf, _addNode, _putSubtree, _putHead;
    private readonly Lock _turn = new();
    private readonly MirrorReader _reader;
    private readonly string _folder;

    /// <exception cref="SqliteException">The file cannot be read or written, or is not a database.</exception>
    public MirrorStore(string file)
    {
        _folder = Directory.CreateDirectory(Path.GetDirectoryName(file)!).FullName;
        var source = new SqliteConnectionStringBuilder { DataSource = file, Pooling = false, DefaultTimeout = 1 }.ToString();
        (_writing, _reading) = (new SqliteConnection(source), new SqliteConnection(source));
        _writing.Open();
        Run(_writing, """
            PRAGMA busy_timeout = 1000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16000;
            CREATE TABLE IF NOT EXISTS leaf (number INTEGER PRIMARY KEY, path BLOB NOT NULL, value_digest BLOB NOT NULL,
                hash BLOB NOT NULL, store_path INTEGER);
            CREATE TABLE IF NOT EXISTS node (id INTEGER PRIMARY KEY, hash BLOB NOT NULL);
            CREATE TABLE IF NOT EXISTS subtree (prefix BLOB PRIMARY KEY, hash BLOB NOT NULL) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS head (one INTEGER PRIMARY KEY CHECK (one = 1), message BLOB NOT NULL);
            """);
        _reading.Open();
        Run(_reading, "PRAGMA busy_timeout = 1000");
        (_begin, _end) = (new Statement(_reading, "BEGIN"), new Statement(_reading, "COMMIT"));
        _addLeaf = new Statement(_writing, "INSERT INTO leaf (number, path, value_digest, hash, store_path) VALUES ($1, $2, $3, $4, $5)");
        _addNode = new Statement(_writing, "INSERT INTO node (id, hash) VALUES ($1, $2)");
        _putSubtree = new Statement(_writing, "INSERT OR REPLACE INTO subtree (prefix, hash) VALUES ($1, $2)");
        _putHead = new Statement(_writing, "INSERT OR REPLACE INTO head (one, message) VALUES (1, $1)");
        (Writer, _reader) = (new MirrorReader(_writing, isKeeping: false), new MirrorReader(_reading, isKeeping: true));
    }

    /// <summary>Reads on the writing connection, including uncommitted changes.</summary>
    public MirrorReader Writer { get; }

    /// <summary>Reads one consistent snapshot of the mirror, unaffected by concurrent writes.</summary>
    public T Read<T>(Func<MirrorReader, T> read)
    {
        lock (_turn)
        {
            _begin.Run();
            try
            {
                _reader.Refresh();
                return read(_reader);
            }
            finally
            {
                _end.Run();
            }
        }
    }

    /// <summary>Runs <paramref name="write"/> in a transaction; rolls back when it returns false.</summary>
    public bool Write(Func<bool> write)
    {
        Run(_writing, "BEGIN IMMEDIATE");
        var isKept = false;
        try
        {
            isKept = write();
            return isKept;
        }
        finally
        {
            Run(_writing, isKept ? "COMMIT" : "ROLLBACK");
        }
    }

    /// <summary>Creates the lookup indexes; run once, after the first full sync.</summary>
    public void Index() => Run(_writing, """
        CREATE INDEX IF NOT EXISTS leaf_by_path ON leaf (substr(path, 1, 8));
        CREATE INDEX IF NOT EXISTS leaf_by_store_path ON leaf (store_path) WHERE store_path IS NOT NULL;
        """);

    /// <summary>Checkpoints the write-ahead log into the file, so that large writes do not occupy the disk twice.</summary>
    public void Settle() => Run(_writing, "PRAGMA wal_checkpoint(TRUNCATE)");

    public void AddLeaf(long number, MirrorLeaf leaf) =>
        _addLeaf.Run(number, leaf.Path.ToArray(), leaf.ValueDigest.ToArray(), leaf.Hash.ToArray(), leaf.StorePath is { } digest
        ? MirrorReader.PrefixOf(digest) : SqlValue.Null);

    public void AddNode(int level, long index, Digest hash) => _addNode.Run(MirrorReader.NodeId(level, index), hash.ToArray());

    public void PutSubtree(MapPrefix prefix, Digest hash) => _putSubtree.Run(prefix.ToBytes(), hash.ToArray());

    public void PutHead(VerifiedTreeHead head) => _putHead.Run(head.ToMessage().ToByteArray());

    /// <summary>Whether free disk space is below the mirror's reserve: 256 MiB or a twentieth of the disk.</summary>
    public bool IsDiskFull
    {
        get
        {
            var disk = new DriveInfo(_folder);
            return disk.AvailableFreeSpace < Math.Min(256L << 20, disk.TotalSize / 20);
        }
    }

    /// <summary>Interrupts the running write statement, from any thread; the statement throws.</summary>
    public void Interrupt() => SQLitePCL.raw.sqlite3_interrupt(_writing.Handle);

    public void Dispose()
    {
        foreach (
            var part in new IDisposable[] { _begin, _end, _addLeaf, _addNode, _putSubtree, _putHead, Writer, _reader, _reading, _writing })
        {
            part.Dispose();
        }
    }

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
