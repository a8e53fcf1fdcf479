using Microsoft.Data.Sqlite;

namespace TrustixProxy.Substituter.Mirrors;

/// <summary>A statement that is run many times, with parameters <c>$1</c>, <c>$2</c> and so on.</summary>
internal sealed class Prepared : IDisposable
{
    private readonly SqliteCommand _command;

    public Prepared(SqliteConnection connection, string sql, int parameters)
    {
        _command = connection.CreateCommand();
        _command.CommandText = sql;
        for (var i = 1; i <= parameters; i++)
        {
            _command.Parameters.Add(new SqliteParameter($"${i}", null));
        }
    }

    /// <summary>Runs it to its end.</summary>
    public void Run(params ReadOnlySpan<object> values) => Bind(values).ExecuteNonQuery();

    /// <summary>Reads the first row, or gives default when there is none.</summary>
    public T? First<T>(Func<SqliteDataReader, T> read, params ReadOnlySpan<object> values)
    {
        using var reader = Bind(values).ExecuteReader();
        return reader.Read() ? read(reader) : default;
    }

    /// <summary>Reads rows one at a time; nobody else may run it meanwhile.</summary>
    public IEnumerable<T> Stream<T>(Func<SqliteDataReader, T> read, params ReadOnlySpan<object> values)
    {
        Bind(values);
        return Rows(read);
    }

    public void Dispose() => _command.Dispose();

    private IEnumerable<T> Rows<T>(Func<SqliteDataReader, T> read)
    {
        using var reader = _command.ExecuteReader();
        while (reader.Read())
        {
            yield return read(reader);
        }
    }

    private SqliteCommand Bind(ReadOnlySpan<object> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            _command.Parameters[i].Value = values[i];
        }

        return _command;
    }
}
