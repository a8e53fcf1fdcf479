using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace TrustixProxy.LogNode.Storage;

/// <summary>A prepared statement with parameters <c>$1</c>, <c>$2</c> and so on, run many times.</summary>
/// <remarks>On SQLite's own interface: through commands and parameters of ADO.NET each of the thousands of small statements of a batch costs three times as much.</remarks>
internal sealed class Statement : IDisposable
{
    private readonly sqlite3 _connection;
    private readonly sqlite3_stmt _statement;

    public Statement(SqliteConnection connection, string sql)
    {
        _connection = connection.Handle!;
        Check(raw.sqlite3_prepare_v3(_connection, sql, raw.SQLITE_PREPARE_PERSISTENT, out _statement));
    }

    /// <summary>Runs it to its end.</summary>
    public void Run(params ReadOnlySpan<SqlValue> values)
    {
        Bind(values);
        try
        {
            while (Step())
            {
            }
        }
        finally
        {
            raw.sqlite3_reset(_statement);
        }
    }

    /// <summary>Reads the first row, or gives default when there is none.</summary>
    public T? First<T>(Func<Row, T> read, params ReadOnlySpan<SqlValue> values)
    {
        Bind(values);
        try
        {
            return Step() ? read(new Row(_statement)) : default;
        }
        finally
        {
            raw.sqlite3_reset(_statement);
        }
    }

    /// <summary>Reads all rows.</summary>
    public List<T> All<T>(Func<Row, T> read, params ReadOnlySpan<SqlValue> values)
    {
        Bind(values);
        var rows = new List<T>();
        try
        {
            while (Step())
            {
                rows.Add(read(new Row(_statement)));
            }
        }
        finally
        {
            raw.sqlite3_reset(_statement);
        }

        return rows;
    }

    /// <summary>Reads rows one at a time; for a statement that nobody else runs meanwhile.</summary>
    public IEnumerable<T> Stream<T>(Func<Row, T> read)
    {
        try
        {
            while (Step())
            {
                yield return read(new Row(_statement));
            }
        }
        finally
        {
            raw.sqlite3_reset(_statement);
        }
    }

    public void Dispose() => _statement.Dispose();

    private void Bind(ReadOnlySpan<SqlValue> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            Check(values[i].Bytes switch
            {
                null => raw.sqlite3_bind_int64(_statement, i + 1, values[i].Number),
                { Length: 0 } => raw.sqlite3_bind_zeroblob(_statement, i + 1, 0), // an empty blob would be taken for NULL
                var bytes => raw.sqlite3_bind_blob(_statement, i + 1, bytes),
            });
        }
    }

    private bool Step()
    {
        var result = raw.sqlite3_step(_statement);
        if (result is not (raw.SQLITE_ROW or raw.SQLITE_DONE))
        {
            Check(result);
        }

        return result is raw.SQLITE_ROW;
    }

    private void Check(int result)
    {
        if (result is not raw.SQLITE_OK)
        {
            throw new SqliteException(raw.sqlite3_errmsg(_connection).utf8_to_string(), result);
        }
    }
}

/// <summary>A number, or bytes when there are any.</summary>
internal readonly record struct SqlValue(long Number, byte[]? Bytes)
{
    public static implicit operator SqlValue(long number) => new(number, null);

    public static implicit operator SqlValue(byte[] bytes) => new(0, bytes);
}

/// <summary>The row that a statement has come to.</summary>
internal readonly struct Row(sqlite3_stmt statement)
{
    public long Number(int column) => raw.sqlite3_column_int64(statement, column);

    public byte[] Bytes(int column) => raw.sqlite3_column_blob(statement, column).ToArray();
}
