using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;
using TrustixProxy.Nix;

namespace TrustixProxy.Publisher;

/// <summary>Reads the database of Guix's daemon, <c>db/db.sqlite</c>, and never writes to it.</summary>
/// <remarks>Source: guix <c>nix/libstore/schema.sql</c>. The daemon writes at any time; each query sees one committed state.</remarks>
internal sealed class GuixDatabase : IDisposable
{
    /// <summary>Maximum wait for the daemon, which locks the database while it writes; in milliseconds.</summary>
    private const int MostWaited = 10_000;

    private const string Columns = "id, path, hash, registrationTime, deriver, narSize";

    private readonly SqliteConnection _connection;
    private readonly string _file;

    private GuixDatabase(SqliteConnection connection, string file) => (_connection, _file) = (connection, file);

    /// <summary>Opens the database.</summary>
    /// <param name="state">Guix's state directory.</param>
    /// <exception cref="NixException">It is missing or unreadable.</exception>
    public static GuixDatabase Open(string state)
    {
        var file = Path.Combine(state, "db", "db.sqlite");
        if (!File.Exists(file))
        {
            throw new NixException($"{file} does not exist: is this a machine with Guix, and has guix-daemon run?");
        }

        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = file,
            Mode = SqliteOpenMode.ReadOnly,
            Pooling = false,
        }.ToString());
        try
        {
            connection.Open();
            SQLitePCL.raw.sqlite3_busy_timeout(connection.Handle!, MostWaited);
            return new GuixDatabase(connection, file);
        }
        catch (SqliteException exception)
        {
            connection.Dispose();
            throw Unreadable(file, exception);
        }
    }

    /// <summary>Returns the largest id; 0 when there is none.</summary>
    public long LastId() => Query("SELECT coalesce(max(id), 0) FROM ValidPaths", row => row.Number(0)).Single();

    /// <summary>Finds a valid path; null when it is not valid.</summary>
    public GuixPath? Find(StorePath path) =>
        Query($"SELECT {Columns} FROM ValidPaths WHERE path = ?", Read, path.Absolute).SingleOrDefault();

    /// <summary>Lists the ids of paths with a deriver that were registered after an id, oldest first.</summary>
    /// <param name="after">The id.</param>
    /// <param name="most">Maximum number of ids.</param>
    public IReadOnlyList<long> RegisteredAfter(long after, int most) =>
        Query("SELECT id FROM ValidPaths WHERE id > ? AND deriver <> '' ORDER BY id LIMIT ?", row => row.Number(0), after, most);

    /// <summary>Reads a row; null when it was collected meanwhile.</summary>
    /// <exception cref="GuixRowException">The row has something that this program does not understand.</exception>
    public GuixPath? Row(long id) => Query($"SELECT {Columns} FROM ValidPaths WHERE id = ?", Read, id).SingleOrDefault();

    /// <summary>Lists the references of a path, sorted.</summary>
    public IReadOnlyList<StorePath> References(long id) => [.. Query(
        "SELECT v.path FROM Refs r JOIN ValidPaths v ON v.id = r.reference WHERE r.referrer = ?", row => PathOf(row.Text(0)), id).Order()];

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();

    private List<T> Query<T>(string sql, Func<Row, T> read, params ReadOnlySpan<SqlValue> values)
    {
        try
        {
            using var statement = new Statement(_connection, sql);
            return statement.All(read, values);
        }
        catch (SqliteException exception)
        {
            throw Unreadable(_file, exception);
        }
    }

    private GuixPath Read(Row row) => new(
        row.Number(0), PathOf(row.Text(1)),
        NixHash.TryParse(row.Text(2), out var hash, out _) ? hash : throw Foreign($"hash '{row.Text(2)}'"),
        DateTimeOffset.FromUnixTimeSeconds(row.Number(3)), row.Text(4) is { Length: > 0 } deriver ? PathOf(deriver) : null, row.Number(5));

    private StorePath PathOf(string text) =>
        StorePath.TryParseAbsolute(text, Store.Guix, out var path, out _) ? path : throw Foreign($"path '{text}'");

    private GuixRowException Foreign(string what) => new($"{_file} has the {what}, which this program does not understand");

    private static NixException Unreadable(string file, SqliteException exception) =>
        new(exception.SqliteErrorCode is SQLitePCL.raw.SQLITE_BUSY
            ? $"{file} stayed locked for {MostWaited / 1000} s: try again when guix-daemon has less to do"
            : $"{file} cannot be read: {exception.Message}");
}

/// <summary>A row of the database has something that this program does not understand.</summary>
internal sealed class GuixRowException(string message) : NixException(message);
