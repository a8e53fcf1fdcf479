using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace TrustixProxy.LogNode.Storage;

/// <summary>The file of one log: one writing connection, and any number of concurrent readers (WAL).</summary>
internal sealed class LogDatabase : IDisposable
{
    /// <remarks>
    /// entry: submitted entries, by index in the log.
    /// find: entry numbers by the first 8 bytes of the value's digest, and of the key's store-path digest, of entries up to indexed: as an
    /// earlier version wrote them.
    /// find_run, find_block: the same of later entries, in sorted runs (<see cref="IndexRun"/>, <see cref="IndexBlock"/>); the newest
    /// entries may be in none.
    /// conflict: later, different values for the key of an entry.
    /// hash_tile: hashes of a tree, 16 per row, by <see cref="TileRow.NumberOf"/>; level l holds the roots of full subtrees of 16^l leaves.
    /// map_page: pages of the map. A page precedes those above it; pages that no stored head needs are listed in map_garbage, or deleted.
    /// map: the heads whose map is stored. Each has the number of its root's page and the first 8 bytes of its map root. Replaced pages
    /// are those that only the previous head needs (8 bytes each, little-endian, ascending).
    /// map_garbage: lists of pages, as those of map, that no stored head needs and that are not deleted yet.
    /// head: every head ever signed.
    /// queue: submitted entries that are not in the log yet.
    /// wrote: whose token submitted the entries from first to last; said: who submitted a value for the key of an entry later.
    /// cosigned: one row at most, the newest head with cosignatures and its two checkpoints. While heads are withheld, readers see it.
    /// witness: the size of a tree that each witness is known to have.
    /// newer: checkpoints under the log's own key that this file does not lead to; with one, nothing is signed any more.
    /// </remarks>
    private const string Schema =
        """
        CREATE TABLE IF NOT EXISTS entry (idx INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL);
        CREATE TABLE IF NOT EXISTS find (prefix INTEGER, idx INTEGER, PRIMARY KEY (prefix, idx)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS indexed (size INTEGER NOT NULL);
        INSERT INTO indexed SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM indexed);
        CREATE TABLE IF NOT EXISTS find_run (id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
            into_run INTEGER NOT NULL, upto INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS find_block (id INTEGER PRIMARY KEY, rows BLOB NOT NULL);
        CREATE TABLE IF NOT EXISTS conflict (seq INTEGER PRIMARY KEY, idx INTEGER NOT NULL, digest BLOB NOT NULL, value BLOB NOT NULL,
            seen_at INTEGER NOT NULL, signature BLOB NOT NULL, UNIQUE (idx, digest));
        CREATE TABLE IF NOT EXISTS hash_tile (number INTEGER PRIMARY KEY, hashes BLOB NOT NULL);
        CREATE TABLE IF NOT EXISTS map_page (number INTEGER PRIMARY KEY, page BLOB NOT NULL);
        CREATE TABLE IF NOT EXISTS map (head INTEGER PRIMARY KEY, root INTEGER NOT NULL, prefix INTEGER NOT NULL,
            signed_at INTEGER NOT NULL, replaced BLOB NOT NULL);
        CREATE INDEX IF NOT EXISTS map_prefix ON map (prefix);
        CREATE TABLE IF NOT EXISTS map_garbage (head INTEGER PRIMARY KEY, pages BLOB NOT NULL);
        CREATE TABLE IF NOT EXISTS head (mh_size INTEGER PRIMARY KEY, head BLOB NOT NULL, signed_at INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS queue (seq INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL, writer TEXT);
        CREATE TABLE IF NOT EXISTS wrote (last INTEGER PRIMARY KEY, first INTEGER NOT NULL, writer TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS said (idx INTEGER, digest BLOB, writer TEXT, seen_at INTEGER NOT NULL,
            PRIMARY KEY (idx, digest, writer)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS cosigned (mh_size INTEGER NOT NULL, log BLOB NOT NULL, map_heads BLOB NOT NULL,
            is_withheld INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS witness (tree INTEGER, name BLOB, size INTEGER NOT NULL, PRIMARY KEY (tree, name)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS newer (note BLOB NOT NULL UNIQUE);
        """;

    /// <summary>The layout of files that this program writes, and the one before, which it reads and converts.</summary>
    public const long Version = 3, VersionBefore = 2;

    /// <summary>Copies the tiles of a file in the layout before; the inner nodes of its table held whole rows, so it had many levels.
    /// Can be repeated, and needs no temporary file.</summary>
    private const string CopyTiles = $"INSERT OR REPLACE INTO hash_tile {TileRow.AllOld};";

    private readonly string _connectionString;
    private readonly ConcurrentBag<LogReader> _readers = [];
    private readonly TileNodes.Cache _tiles = new();
    private WalCheckpoints? _checkpoints; // null in a file that was opened for reading
    private RecentEntries _recent = RecentEntries.None;

    private LogDatabase(string path, bool isWritable)
    {
        _connectionString = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Pooling = false,
            Mode = isWritable
            ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadWrite
        }.ToString();
        try
        {
            Writer = Open(100); // the only writer: it waits only for a checkpoint, for readers
            CheckVersion(path, isWritable);
        }
        catch (SqliteException exception)
        {
            Writer?.Dispose();
            throw Unusable(path, exception);
        }
    }

    /// <summary>Opens a log's file for writing; creates it if missing.</summary>
    /// <exception cref="InvalidDataException">The file has another layout.</exception>
    public static LogDatabase OpenToWrite(string path)
    {
        var database = new LogDatabase(path, isWritable: true);
        try
        {
            database.SetUp();
            return database;
        }
        catch (SqliteException exception)
        {
            database.Dispose();
            throw Unusable(path, exception);
        }
    }

    /// <summary>Opens a log's file for reading; another process may write to it.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">The file has another layout, or is not a log's.</exception>
    public static LogDatabase OpenToRead(string path) =>
        File.Exists(path) ? new LogDatabase(path, isWritable: false)
        : throw new FileNotFoundException($"There is no {path}: no log of that name was ever served there.");

    /// <summary>Returns the file of the log with this name.</summary>
    public static string PathOf(string stateDirectory, string log) => Path.Combine(stateDirectory, $"{log}.sqlite");

    /// <summary>The writing connection; only for the sequencer.</summary>
    public SqliteConnection Writer { get; }

    /// <summary>Copies the write-ahead log beside the writer of a file that was opened for writing.</summary>
    public WalCheckpoints Checkpoints => _checkpoints ?? throw new InvalidOperationException("The log's file was opened for reading.");

    /// <summary>The index rows that the file lacks.</summary>
    public RecentEntries Recent { get => Volatile.Read(ref _recent); set => Volatile.Write(ref _recent, value); }

    /// <summary>Cached pages of the map.</summary>
    public MapPages.Cache Pages { get; } = new();

    /// <summary>Reads a consistent snapshot of the log.</summary>
    public T Read<T>(Func<LogReader, T> read)
    {
        if (!_readers.TryTake(out var reader))
        {
            reader = new LogReader(Open(5000), Pages, _tiles);
        }

        try
        {
            return reader.InOneState(Recent, read); // taken before the snapshot, which therefore lacks rows moved later
        }
        finally
        {
            _readers.Add(reader);
        }
    }

    /// <summary>Checkpoints the write-ahead log, so that the file alone is the log.</summary>
    public void Close()
    {
        CloseOthers();
        using var command = Writer.CreateCommand();
        command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE;";
        command.ExecuteNonQuery();
    }

    public void Dispose()
    {
        CloseOthers();
        Writer.Dispose();
    }

    /// <summary>Creates what the file lacks, and brings it into this program's layout.</summary>
    private void SetUp()
    {
        using var command = Writer.CreateCommand();
        command.CommandText = "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
            + "PRAGMA cache_size = -2048; PRAGMA wal_autocheckpoint = 8000";
        command.ExecuteNonQuery();
        var version = ReadVersion();
        var (copy, mark) = (version is VersionBefore ? CopyTiles : "", version == Version ? "" : $"PRAGMA user_version = {Version};");
        // A command of its own: where a statement returns rows, failures of those after it are not told.
        command.CommandText = $"{Schema} {copy} {mark} DROP TABLE IF EXISTS tile";
        command.ExecuteNonQuery();
        command.CommandText = "SELECT count(*) FROM pragma_table_info('queue') WHERE name = 'writer'";
        if (command.ExecuteScalar() is 0L)
        {
            command.CommandText = "ALTER TABLE queue ADD COLUMN writer TEXT"; // which a file of an earlier version lacks
            command.ExecuteNonQuery();
        }

        _checkpoints = new WalCheckpoints(Open(100));
    }

    private static InvalidDataException Unusable(string path, SqliteException exception) => new(
        $"{path} cannot be used as a log's file: {exception.Message.TrimEnd('.')}. If the disk is full, make space; if the file is "
            + "damaged, log import rebuilds it from an export.", exception);

    /// <summary>Closes all connections but the writer's.</summary>
    private void CloseOthers()
    {
        _checkpoints?.Dispose();
        _checkpoints = null;
        while (_readers.TryTake(out var reader))
        {
            reader.Dispose();
        }
    }

    private void CheckVersion(string path, bool mayBeNew)
    {
        var version = ReadVersion();
        if (version is not (Version or VersionBefore) && !(mayBeNew && version is 0))
        {
            throw new InvalidDataException($"{path} has the layout {version}, and this program knows {VersionBefore} and {Version}: "
                + "use the program that wrote it, or log export there and log import here.");
        }
    }

    private long ReadVersion()
    {
        using var command = Writer.CreateCommand();
        command.CommandText = "PRAGMA user_version";
        return (long)command.ExecuteScalar()!;
    }

    /// <param name="milliseconds">Maximum wait for another connection's lock.</param>
    private SqliteConnection Open(int milliseconds)
    {
        var connection = new SqliteConnection(_connectionString);
        connection.Open();
        SQLitePCL.raw.sqlite3_busy_timeout(connection.Handle!, milliseconds);
        return connection;
    }
}
