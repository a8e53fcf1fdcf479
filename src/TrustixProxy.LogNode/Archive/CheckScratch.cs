using System.Text;
using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;
using TrustixProxy.LogNode.Storage;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.LogNode.Archive;

/// <summary>How far a check has come: everything up to a head is good.</summary>
/// <param name="Heads">Number of heads.</param>
/// <param name="Size">Number of entries under them.</param>
/// <param name="Map">Number of the page at the map's root.</param>
/// <param name="Head">The last of the heads.</param>
internal sealed record CheckedPart(long Heads, long Size, long Map, byte[] Head);

/// <summary>The map's newest pages as a check computes them, and how far it has come. A large log's pages are in a file beside it, so that
/// a check that was ended goes on where it was.</summary>
/// <param name="path">The file; made once there are many pages.</param>
/// <param name="key">The log's key: another log's file is not used.</param>
/// <param name="mostPages">Number of pages in memory from which on they are written to the file.</param>
internal sealed class CheckScratch(string path, LogKey key, int mostPages) : IDisposable
{
    private readonly Dictionary<long, (MapPage Page, bool IsStored)> _recent = [];
    private readonly Dictionary<(Tree Tree, int Level), byte[]> _edges = []; // partial tiles
    private readonly MapPages.Cache _cache = new();
    private SqliteConnection? _connection;
    private Statement? _find, _add, _remove, _edge, _state, _forget;

    /// <summary>Whether so many pages are in memory that they should be saved.</summary>
    public bool IsFull => _recent.Count >= mostPages;

    /// <summary>Opens what an earlier check has saved; null when there is nothing.</summary>
    /// <exception cref="IOException">Another check is at work.</exception>
    public CheckedPart? Resume()
    {
        if (!File.Exists(path))
        {
            return null;
        }

        Open();
        using var find = new Statement(_connection!, "SELECT heads, size, map, head FROM state WHERE key = $1");
        return find.First(row => new CheckedPart(row.Number(0), row.Number(1), row.Number(2), row.Bytes(3)),
            Encoding.UTF8.GetBytes(key.ToString()));
    }

    /// <summary>Discards what an earlier check has saved.</summary>
    public void Discard()
    {
        Dispose();
        foreach (var file in new[] { path, path + "-wal", path + "-shm" })
        {
            File.Delete(file);
        }
    }

    /// <param name="number">The page's number.</param>
    /// <param name="place">Its <see cref="MapPage.Place"/>.</param>
    public MapPage Load(long number, int place)
    {
        if (_recent.TryGetValue(number, out var recent))
        {
            return recent.Page;
        }

        var page = _cache.Find(number, place) ?? MapPage.Of(_find!.First(row => row.Bytes(0), number)
            ?? throw new InvalidDataException($"{path} lacks page {number}: delete it, and check again."), place);
        _cache.Keep(number, page);
        return page;
    }

    /// <param name="isStored">Whether the log's file holds the page.</param>
    public void Add(long number, MapPage page, bool isStored) => _recent.Add(number, (page, isStored));

    /// <summary>Whether the newest map has a page.</summary>
    public bool Holds(long number) => _recent.ContainsKey(number) || _find?.First(_ => true, number) is true;

    /// <summary>Removes a page that the newest map no longer has; returns whether the log's file holds it.</summary>
    public bool Remove(long number) => _recent.Remove(number, out var recent) ? recent.IsStored
        : _remove!.First(row => row.Number(0) is not 0, number);

    /// <summary>Replaces the partial tile of a level.</summary>
    public void SetEdge(Tree tree, int level, byte[] hashes) => _edges[(tree, level)] = hashes;

    /// <summary>Finds the partial tile of a level; null when there is none.</summary>
    public byte[]? FindEdge(Tree tree, int level) =>
        _edges.GetValueOrDefault((tree, level)) ?? _edge?.First(row => row.Bytes(2), (int)tree, level);

    /// <summary>Says which of the saved pages the log's file holds now: a node may have deleted some since.</summary>
    /// <param name="stored">The log's pages, by their numbers.</param>
    /// <param name="differs">Called with the number of each that is not as computed.</param>
    public void Compare(IEnumerable<(long Number, byte[] Page)> stored, Action<long> differs)
    {
        using var all = new Statement(_connection!, "SELECT number, page FROM page ORDER BY number");
        using var mark = new Statement(_connection!, "UPDATE page SET is_stored = $1 WHERE number = $2 AND is_stored <> $1");
        using var file = stored.GetEnumerator();
        var isMore = file.MoveNext();
        foreach (var (number, page) in all.Stream(row => (row.Number(0), row.Bytes(1))))
        {
            while (isMore && file.Current.Number < number)
            {
                isMore = file.MoveNext();
            }

            var isStored = isMore && file.Current.Number == number;
            mark.Run(isStored ? 1 : 0, number);
            if (isStored && !page.AsSpan().SequenceEqual(file.Current.Page))
            {
                differs(number);
            }
        }
    }

    /// <summary>Returns the pages that the log's file does not hold.</summary>
    public IEnumerable<long> Missing()
    {
        var saved = new List<long>();
        if (_connection is not null)
        {
            using var missing = new Statement(_connection, $"SELECT number FROM page WHERE is_stored = 0 ORDER BY number LIMIT "
                + $"{LogCheck.MaxFaults}");
            saved = missing.All(row => row.Number(0));
        }

        return saved.Concat(_recent.Where(page => !page.Value.IsStored).Select(page => page.Key).Order());
    }

    /// <summary>Saves all pages, and how far the check has come.</summary>
    /// <param name="part">The good part; null after a fault, from which no later check goes on.</param>
    public void Save(CheckedPart? part)
    {
        Open();
        foreach (var (number, (page, isStored)) in _recent.OrderBy(entry => entry.Key))
        {
            _add!.Run(number, page.ToBytes(), isStored ? 1 : 0);
            _cache.Keep(number, page);
        }

        foreach (var ((tree, level), hashes) in _edges)
        {
            using var set = new Statement(_connection!, "INSERT OR REPLACE INTO edge (tree, level, hashes) VALUES ($1, $2, $3)");
            set.Run((int)tree, level, hashes);
        }

        _forget!.Run();
        if (part is not null)
        {
            _state!.Run(part.Heads, part.Size, part.Map, part.Head, Encoding.UTF8.GetBytes(key.ToString()));
        }

        Run("COMMIT; BEGIN IMMEDIATE");
        _recent.Clear();
        _edges.Clear();
    }

    public void Dispose()
    {
        foreach (var part in new IDisposable?[] { _find, _add, _remove, _edge, _state, _forget, _connection })
        {
            part?.Dispose();
        }

        (_connection, _find, _add, _remove, _edge, _state, _forget) = (null, null, null, null, null, null, null);
    }

    private void Open()
    {
        if (_connection is not null)
        {
            return;
        }

        try
        {
            _connection = new SqliteConnection(
                new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = 1 }.ToString());
            _connection.Open();
            Run("""
                PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192;
                BEGIN IMMEDIATE;
                CREATE TABLE IF NOT EXISTS page (number INTEGER PRIMARY KEY, page BLOB NOT NULL, is_stored INTEGER NOT NULL);
                CREATE TABLE IF NOT EXISTS edge (tree INTEGER, level INTEGER, hashes BLOB NOT NULL, PRIMARY KEY (tree, level));
                CREATE TABLE IF NOT EXISTS state (heads INTEGER NOT NULL, size INTEGER NOT NULL, map INTEGER NOT NULL,
                    head BLOB NOT NULL, key BLOB NOT NULL);
                """);
            _find = new Statement(_connection, "SELECT page FROM page WHERE number = $1");
            _add = new Statement(_connection, "INSERT INTO page (number, page, is_stored) VALUES ($1, $2, $3)");
            _remove = new Statement(_connection, "DELETE FROM page WHERE number = $1 RETURNING is_stored");
            _edge = new Statement(_connection, "SELECT tree, level, hashes FROM edge WHERE tree = $1 AND level = $2");
            _state = new Statement(
                _connection, "INSERT INTO state (heads, size, map, head, key) VALUES ($1, $2, $3, $4, $5)");
            _forget = new Statement(_connection, "DELETE FROM state");
        }
        catch (SqliteException exception)
        {
            Dispose();
            throw new IOException($"{path}, which keeps how far a check of the log has come, cannot be used: "
                + $"{exception.Message.TrimEnd('.')}. Wait for the check that is at work, or delete the file.", exception);
        }
    }

    private void Run(string sql)
    {
        using var command = _connection!.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
