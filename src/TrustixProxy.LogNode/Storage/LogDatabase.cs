using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace TrustixProxy.LogNode.Storage;

/// <summary>The file of one log: one connection that writes, and as many as needed that read beside it (WAL).</summary>
internal sealed class LogDatabase : IDisposable
{
    /// <remarks>
    /// entry: what was submitted, by index in the log. find: entries by the first 8 bytes of their value's digest, and of that of the store
    /// path which their key is; of those from size indexed on it may lack some.
    /// conflict: a later, different value for the key of an entry.
    /// tile: hashes of a tree, 16 a row: tree 0 is the log, 1 the map-head log; level l holds the roots of full subtrees of 16^l leaves.
    /// map_page: pages of the map; one that a head needs lies before those above it, and what no kept head needs is deleted. map: the heads
    /// whose map is kept, each with the number of its root's page,
    /// the first 8 bytes of its map root, and the numbers of the pages (8 bytes each, little-endian, ascending) that the head before needs
    /// and it does not.
    /// head: every head ever signed. queue: submitted, and not in the log yet.
    /// </remarks>
    private const string Schema =
        """
        CREATE TABLE IF NOT EXISTS entry (idx INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL);
        CREATE TABLE IF NOT EXISTS find (prefix INTEGER, idx INTEGER, PRIMARY KEY (prefix, idx)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS indexed (size INTEGER NOT NULL);
        INSERT INTO indexed SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM indexed);
        CREATE TABLE IF NOT EXISTS conflict (seq INTEGER PRIMARY KEY, idx INTEGER NOT NULL, digest BLOB NOT NULL, value BLOB NOT NULL, seen_at INTEGER NOT NULL, signature BLOB NOT NULL, UNIQUE (idx, digest));
        CREATE TABLE IF NOT EXISTS tile (tree INTEGER, level INTEGER, idx INTEGER, hashes BLOB NOT NULL, PRIMARY KEY (tree, level, idx)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS map_page (number INTEGER PRIMARY KEY, page BLOB NOT NULL);
        CREATE TABLE IF NOT EXISTS map (head INTEGER PRIMARY KEY, root INTEGER NOT NULL, prefix INTEGER NOT NULL, signed_at INTEGER NOT NULL, replaced BLOB NOT NULL);
        CREATE INDEX IF NOT EXISTS map_prefix ON map (prefix);
        CREATE TABLE IF NOT EXISTS head (mh_size INTEGER PRIMARY KEY, head BLOB NOT NULL, signed_at INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS queue (seq INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL);
        """;

    private const long Version = 2;

    private readonly string _connectionString;
    private readonly ConcurrentBag<LogReader> _readers = [];
    private readonly TileNodes.Cache _tiles = new();
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
            Writer = Open(100); // it is the only one that writes: the wait is a checkpoint's, for readers
            CheckVersion(path, isWritable);
        }
        catch (SqliteException exception)
        {
            Writer?.Dispose();
            throw new InvalidDataException($"{path} cannot be used as a log's file: {exception.Message.TrimEnd('.')}. If it is damaged, "
                + $"log import rebuilds it from an export.", exception);
        }
    }

    /// <summary>Opens a log's file to write to it; makes it if it is not there.</summary>
    /// <exception cref="InvalidDataException">It is of another layout.</exception>
    public static LogDatabase OpenToWrite(string path)
    {
        var database = new LogDatabase(path, isWritable: true);
        using var command = database.Writer.CreateCommand();
        command.CommandText = $"PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size "
            + $"= -2048; PRAGMA wal_autocheckpoint = 4000; {Schema} PRAGMA user_version = {Version}";
        command.ExecuteNonQuery();
        return database;
    }

    /// <summary>Opens a log's file to read it; another process may write to it.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is of another layout, or no log's file.</exception>
    public static LogDatabase OpenToRead(string path) =>
        File.Exists(path) ? new LogDatabase(path, isWritable: false)
        : throw new FileNotFoundException($"There is no {path}: no log of that name was ever kept there.");

    /// <summary>The file of the log of this name.</summary>
    public static string PathOf(string stateDirectory, string log) => Path.Combine(stateDirectory, $"{log}.sqlite");

    /// <summary>The connection that writes; for the sequencer alone.</summary>
    public SqliteConnection Writer { get; }

    /// <summary>The rows that <c>find</c> lacks.</summary>
    public RecentEntries Recent { get => Volatile.Read(ref _recent); set => Volatile.Write(ref _recent, value); }

    /// <summary>Pages of the map that are in memory.</summary>
    public MapPages.Cache Pages { get; } = new();

    /// <summary>Reads one consistent state of the log.</summary>
    public T Read<T>(Func<LogReader, T> read)
    {
        if (!_readers.TryTake(out var reader))
        {
            reader = new LogReader(Open(5000), Pages, _tiles);
        }

        try
        {
            return reader.InOneState(Recent, read); // taken before the state is: what has moved later, the state lacks
        }
        finally
        {
            _readers.Add(reader);
        }
    }

    /// <summary>Moves all from the write-ahead log into the file, so that the file alone is the log.</summary>
    public void Close()
    {
        CloseReaders();
        using var command = Writer.CreateCommand();
        command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE;";
        command.ExecuteNonQuery();
    }

    public void Dispose()
    {
        CloseReaders();
        Writer.Dispose();
    }

    private void CloseReaders()
    {
        while (_readers.TryTake(out var reader))
        {
            reader.Dispose();
        }
    }

    private void CheckVersion(string path, bool mayBeNew)
    {
        using var command = Writer.CreateCommand();
        command.CommandText = "PRAGMA user_version";
        var version = (long)command.ExecuteScalar()!;
        if (version != Version && !(mayBeNew && version is 0))
        {
            throw new InvalidDataException($"{path} has the layout {version}, and this program knows {Version}: use the program that wrote "
                + $"it, or log export there and log import here.");
        }
    }

    /// <param name="milliseconds">How long to wait for what another connection holds.</param>
    private SqliteConnection Open(int milliseconds)
    {
        var connection = new SqliteConnection(_connectionString);
        connection.Open();
        SQLitePCL.raw.sqlite3_busy_timeout(connection.Handle!, milliseconds);
        return connection;
    }
}
