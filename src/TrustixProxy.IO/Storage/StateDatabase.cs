using Microsoft.Data.Sqlite;

namespace TrustixProxy.IO.Storage;

/// <summary>The state database, <c>state.sqlite</c> in the state directory: one connection for writes and one for reads. Calls of each kind
/// are serialized.</summary>
/// <remarks>Several processes may share the file: it uses WAL, and each statement is atomic. SQLite itself waits at most one second for
/// another connection's lock; ADO.NET would sleep 150 ms at a time. Statements stay prepared: there are few.</remarks>
public sealed class StateDatabase : IDisposable
{
    private readonly SqliteConnection _writer, _reader;
    private readonly Lock _writing = new(), _reading = new();
    private readonly Dictionary<string, Statement> _writes = [], _reads = [];

    /// <param name="isDurable">Whether a change is on disk when the call returns (for what must never be lost), or soon after.</param>
    /// <param name="schema">Statements that create missing tables.</param>
    /// <exception cref="SqliteException">The file cannot be read or written, or is not a database.</exception>
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

    /// <summary>Creates missing tables.</summary>
    public void Ensure(string schema)
    {
        lock (_writing)
        {
            using var command = _writer.CreateCommand();
            command.CommandText = schema;
            command.ExecuteNonQuery();
        }
    }

    /// <summary>Runs <paramref name="write"/> in one transaction.</summary>
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
                    Execute("ROLLBACK"); // the database may have rolled back by itself
                }
            }
        }
    }

    /// <summary>Runs one statement, with values for its parameters in order of first appearance; returns the number of changed
    /// rows.</summary>
    public int Execute(string sql, params ReadOnlySpan<SqlValue> values)
    {
        lock (_writing)
        {
            return Prepared(_writer, _writes, sql).Run(values);
        }
    }

    /// <summary>Reads the first row; default when there is none.</summary>
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

    /// <summary>Closes the file, once nobody reads or writes.</summary>
    public void Dispose()
    {
        lock (_writing)
        {
            lock (_reading)
            {
                foreach (var statement in _writes.Values.Concat(_reads.Values))
                {
                    statement.Dispose();
                }

                _writes.Clear();
                _reads.Clear();
                _reader.Dispose();
                _writer.Dispose();
            }
        }
    }

    private static Statement Prepared(SqliteConnection connection, Dictionary<string, Statement> prepared, string sql)
    {
        ObjectDisposedException.ThrowIf(connection.State is System.Data.ConnectionState.Closed, typeof(StateDatabase));
        if (!prepared.TryGetValue(sql, out var statement))
        {
            prepared.Add(sql, statement = new Statement(connection, sql));
        }

        return statement;
    }
}
