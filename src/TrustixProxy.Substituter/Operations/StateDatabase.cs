using Microsoft.Data.Sqlite;

namespace TrustixProxy.Substituter.Operations;

/// <summary>One connection to the state database, <c>state.sqlite</c> in the state directory. Calls take turns.</summary>
/// <remarks>Several processes may share the file: WAL, and each statement is atomic by itself.</remarks>
internal sealed class StateDatabase : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly Lock _turn = new();

    /// <param name="directory">The state directory.</param>
    /// <param name="isDurable">Whether a change is on the disk when it returns (for what must never be forgotten), or soon after.</param>
    /// <param name="schema">Statements that make the tables if they are not there.</param>
    public StateDatabase(string directory, bool isDurable, string schema)
    {
        _connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = Path.Combine(directory, "state.sqlite"), Pooling = false }.ToString());
        _connection.Open();
        Execute($"PRAGMA journal_mode = WAL; PRAGMA synchronous = {(isDurable ? "FULL" : "NORMAL")}; {schema}");
    }

    /// <summary>Runs a statement; answers how many rows it changed.</summary>
    public int Execute(string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        lock (_turn)
        {
            using var command = Command(sql, parameters);
            return command.ExecuteNonQuery();
        }
    }

    /// <summary>Reads the first row, or gives default when there is none.</summary>
    public T? First<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        lock (_turn)
        {
            using var command = Command(sql, parameters);
            using var reader = command.ExecuteReader();
            return reader.Read() ? read(reader) : default;
        }
    }

    public void Dispose() => _connection.Dispose();

    private SqliteCommand Command(string sql, ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        var command = _connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
        {
            command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        }

        return command;
    }
}
