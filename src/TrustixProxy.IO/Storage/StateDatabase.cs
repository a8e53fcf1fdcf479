using Microsoft.Data.Sqlite;

namespace TrustixProxy.IO.Storage;

/// <summary>The state database, <c>state.sqlite</c> in the state directory: one connection that writes, one that reads beside it. Calls of
/// either kind take turns.</summary>
/// <remarks>Several processes may share the file: WAL, and each statement is atomic by itself. What another connection holds is waited for,
/// a second at the most and by SQLite itself: ADO.NET would sleep for 150 ms at once. Statements stay prepared: there are few.</remarks>
public sealed class StateDatabase : IDisposable
{
    private readonly SqliteConnection _writer, _reader;
    private readonly Lock _writing = new(), _reading = new();
    private readonly Dictionary<string, Statement> _writes = [], _reads = [];

    /// <param name="isDurable">Whether a change is on the disk when it returns (for what must never be forgotten), or soon after.</param>
    /// <param name="schema">Statements that make tables if they are not there.</param>
    /// <exception cref="SqliteException">The file cannot be read or written, or is no database.</exception>
    public StateDatabase(string directory, bool isDurable, string schema = "")
    {
        var file = new SqliteConnectionStringBuilder
        {
            DataSource = Path.Combine(directory, "state.sqlite"),
            Pooling = false,
            DefaultTimeout = 1
        }.ToString();
        (_writer, _reader) = (new SqliteConnection(file), new SqliteConnection(file));
        _writer.Open();
        Ensure($"PRAGMA busy_timeout = 1000; PRAGMA journal_mode = WAL; PRAGMA synchronous = {(isDurable ? "FULL" : "NORMAL")}; {schema}");
        _reader.Open();
    }

    /// <summary>Makes tables if they are not there.</summary>
    public void Ensure(string schema)
    {
        lock (_writing)
        {
            using var command = _writer.CreateCommand();
            command.CommandText = schema;
            command.ExecuteNonQuery();
        }
    }

    /// <summary>Has all that <paramref name="write"/> writes become true at once, or nothing of it.</summary>
    public void Together(Action write)
    {
        lock (_writing)
        {
            Execute("BEGIN IMMEDIATE");
            try
            {
                write();
                Execute("COMMIT");
            }
            finally
            {
                if (SQLitePCL.raw.sqlite3_get_autocommit(_writer.Handle) is 0)
                {
                    Execute("ROLLBACK"); // what failed may have been undone by the database itself
                }
            }
        }
    }

    /// <summary>Runs one statement, with values for its parameters in the order in which these first appear; answers how many rows it
    /// changed.</summary>
    public int Execute(string sql, params ReadOnlySpan<SqlValue> values)
    {
        lock (_writing)
        {
            return Prepared(_writer, _writes, sql).Run(values);
        }
    }

    /// <summary>Reads the first row, or gives default when there is none.</summary>
    public T? First<T>(string sql, Func<Row, T> read, params ReadOnlySpan<SqlValue> values)
    {
        lock (_reading)
        {
            return Prepared(_reader, _reads, sql).First(read, values);
        }
    }

    /// <summary>Reads all rows.</summary>
    public List<T> All<T>(string sql, Func<Row, T> read, params ReadOnlySpan<SqlValue> values)
    {
        lock (_reading)
        {
            return Prepared(_reader, _reads, sql).All(read, values);
        }
    }

    public void Dispose()
    {
        foreach (var statement in _writes.Values.Concat(_reads.Values))
        {
            statement.Dispose();
        }

        _reader.Dispose();
        _writer.Dispose();
    }

    private static Statement Prepared(SqliteConnection connection, Dictionary<string, Statement> prepared, string sql)
    {
        if (!prepared.TryGetValue(sql, out var statement))
        {
            prepared.Add(sql, statement = new Statement(connection, sql));
        }

        return statement;
    }
}
