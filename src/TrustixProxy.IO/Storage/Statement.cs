using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace TrustixProxy.IO.Storage;

/// <summary>A prepared statement, run many times. Values are bound to its parameters in order of first appearance.</summary>
/// <remarks>Uses SQLite's own interface: commands and parameters of ADO.NET make each of a batch's many small statements cost three times
/// as much.</remarks>
public sealed class Statement : IDisposable
{
    private readonly sqlite3 _connection;
    private readonly sqlite3_stmt _statement;

    /// <param name="connection">An open connection that outlives the statement.</param>
    /// <param name="sql">One statement.</param>
    /// <exception cref="SqliteException">The statement is invalid for the database.</exception>
    public Statement(SqliteConnection connection, string sql)
    {
        _connection = connection.Handle!;
        Check(raw.sqlite3_prepare_v3(_connection, sql, raw.SQLITE_PREPARE_PERSISTENT, out _statement));
    }

    /// <summary>Runs it to its end; returns the number of changed rows, if it changes any.</summary>
    public int Run(params ReadOnlySpan<SqlValue> values)
    {
        Bind(values);
        try
        {
            while (Step())
            {
                // Drains the remaining rows.
            }

            return raw.sqlite3_changes(_connection);
        }
        finally
        {
            raw.sqlite3_reset(_statement);
        }
    }

    /// <summary>Reads the first row; default when there is none.</summary>
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
    public List<T> All<T>(Func<Row, T> read, params ReadOnlySpan<SqlValue> values) => [.. Stream(read, values)];

    /// <summary>Reads rows lazily; the statement must not be used otherwise until then.</summary>
    public IEnumerable<T> Stream<T>(Func<Row, T> read, params ReadOnlySpan<SqlValue> values)
    {
        Bind(values);
        return Rows(read);
    }

    public void Dispose() => _statement.Dispose();

    private IEnumerable<T> Rows<T>(Func<Row, T> read)
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

    private void Bind(ReadOnlySpan<SqlValue> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            Check(values[i] switch
            {
                { Bytes: { Length: > 0 } bytes } => raw.sqlite3_bind_blob(_statement, i + 1, bytes),
                { Bytes: not null } => raw.sqlite3_bind_zeroblob(_statement, i + 1, 0), // an empty blob would be taken for NULL
                { Text: { } text } => raw.sqlite3_bind_text(_statement, i + 1, text),
                { Number: { } number } => raw.sqlite3_bind_int64(_statement, i + 1, number),
                _ => raw.sqlite3_bind_null(_statement, i + 1),
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

/// <summary>An integer, a blob or a text; NULL when all are null.</summary>
public readonly record struct SqlValue(long? Number, byte[]? Bytes, string? Text)
{
    /// <summary>NULL.</summary>
    public static SqlValue Null => default;

    public static implicit operator SqlValue(long? number) => new(number, null, null);

    public static implicit operator SqlValue(byte[]? bytes) => new(null, bytes, null);

    public static implicit operator SqlValue(string? text) => new(null, null, text);
}

/// <summary>The statement's current row.</summary>
public readonly struct Row(sqlite3_stmt statement)
{
    /// <summary>Reads a 64-bit integer; 0 for NULL.</summary>
    public long Number(int column) => raw.sqlite3_column_int64(statement, column);

    /// <summary>Whether the column is NULL.</summary>
    public bool IsNull(int column) => raw.sqlite3_column_type(statement, column) is raw.SQLITE_NULL;

    /// <summary>Reads a text; empty for NULL.</summary>
    public string Text(int column) => raw.sqlite3_column_text(statement, column).utf8_to_string() ?? "";

    /// <summary>Copies a blob; empty for NULL.</summary>
    public byte[] Bytes(int column) => Span(column).ToArray();

    /// <summary>Returns a blob in SQLite's memory; valid only until the next row.</summary>
    public ReadOnlySpan<byte> Span(int column) => raw.sqlite3_column_blob(statement, column);
}
