using Microsoft.Data.Sqlite;

namespace TrustixProxy.Substituter.Operations;

/// <summary>The state database, <c>state.sqlite</c> in the state directory: one connection that writes, one that reads beside it. Calls of either kind take turns.</summary>
/// <remarks>Several processes may share the file: WAL, and each statement is atomic by itself. What another process holds is waited for a second at the most.</remarks>
internal sealed class StateDatabase : IDisposable
{
    private readonly SqliteConnection _writer, _reader;
    private readonly Lock _writing = new(), _reading = new();

    /// <param name="directory">The state directory.</param>
    /// <param name="isDurable">Whether a change is on the disk when it returns (for what must never be forgotten), or soon after.</param>
    /// <param name="schema">Statements that make the tables if they are not there.</param>
    /// <exception cref="SqliteException">The file cannot be read or written, or is no database.</exception>
    public StateDatabase(string directory, bool isDurable, string schema)
    {
        var file = new SqliteConnectionStringBuilder { DataSource = Path.Combine(directory, "state.sqlite"), Pooling = false, DefaultTimeout = 1 }.ToString();
        (_writer, _reader) = (new SqliteConnection(file), new SqliteConnection(file));
        _writer.Open();
        Execute($"PRAGMA journal_mode = WAL; PRAGMA synchronous = {(isDurable ? "FULL" : "NORMAL")}; {schema}");
        _reader.Open();
    }

    /// <summary>Runs a statement; answers how many rows it changed.</summary>
    public int Execute(string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        lock (_writing)
        {
            using var command = Command(_writer, sql, parameters);
            return command.ExecuteNonQuery();
        }
    }

    /// <summary>Reads the first row, or gives default when there is none.</summary>
    public T? First<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        lock (_reading)
        {
            using var command = Command(_reader, sql, parameters);
            using var reader = command.ExecuteReader();
            return reader.Read() ? read(reader) : default;
        }
    }

    /// <summary>Reads all rows.</summary>
    public List<T> All<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        lock (_reading)
        {
            using var command = Command(_reader, sql, parameters);
            using var reader = command.ExecuteReader();
            var rows = new List<T>();
            while (reader.Read())
            {
                rows.Add(read(reader));
            }

            return rows;
        }
    }

    public void Dispose()
    {
        _reader.Dispose();
        _writer.Dispose();
    }

    private static SqliteCommand Command(SqliteConnection connection, string sql, ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        }

        return command;
    }
}
