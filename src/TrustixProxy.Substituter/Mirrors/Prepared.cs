using Microsoft.Data.Sqlite;
using SQLitePCL;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Substituter.Mirrors;

/// <summary>A statement that is run many times, with parameters <c>$1</c>, <c>$2</c> and so on.</summary>
/// <remarks>Goes past ADO.NET, which takes more time over a row than SQLite does, and a proof is made of many rows.</remarks>
internal sealed class Prepared : IDisposable
{
    private readonly sqlite3 _database;
    private readonly sqlite3_stmt _statement;

    /// <exception cref="SqliteException">The statement does not fit the database.</exception>
    public Prepared(SqliteConnection connection, string sql)
    {
        _database = connection.Handle!;
        Check(raw.sqlite3_prepare_v2(_database, sql, out _statement));
    }

    /// <summary>Runs it to its end.</summary>
    public void Run(params ReadOnlySpan<object> values)
    {
        Bind(values);
        try
        {
            while (Step())
            {
                // Rows that nobody reads.
            }
        }
        finally
        {
            raw.sqlite3_reset(_statement);
        }
    }

    /// <summary>Reads the first row, or gives default when there is none.</summary>
    public T? First<T>(Func<Row, T> read, params ReadOnlySpan<object> values)
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

    /// <summary>Reads rows one at a time; nobody else may run it meanwhile.</summary>
    public IEnumerable<T> Stream<T>(Func<Row, T> read, params ReadOnlySpan<object> values)
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

    private void Bind(ReadOnlySpan<object> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            Check(values[i] switch
            {
                byte[] bytes => raw.sqlite3_bind_blob(_statement, i + 1, bytes),
                long number => raw.sqlite3_bind_int64(_statement, i + 1, number),
                var other => throw new ArgumentException($"'{other}' is neither bytes nor a number of 64 bits.", nameof(values)),
            });
        }
    }

    private bool Step()
    {
        var code = raw.sqlite3_step(_statement);
        if (code is not (raw.SQLITE_ROW or raw.SQLITE_DONE))
        {
            Check(code);
        }

        return code is raw.SQLITE_ROW;
    }

    private void Check(int code) => SqliteException.ThrowExceptionForRC(code, _database);

    /// <summary>The row that a statement is at.</summary>
    public readonly struct Row(sqlite3_stmt statement)
    {
        public long Number(int column) => raw.sqlite3_column_int64(statement, column);

        public byte[] Bytes(int column) => raw.sqlite3_column_blob(statement, column).ToArray();

        public Digest Digest(int column) => new(raw.sqlite3_column_blob(statement, column));
    }
}
