using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Runs work in a transaction on the writing connection; durable on return.</summary>
internal sealed class Transactions(SqliteConnection connection) : IDisposable
{
    private readonly Statement _begin = new(connection, "BEGIN IMMEDIATE"), _commit = new(connection, "COMMIT"),
        _rollback = new(connection, "ROLLBACK");

    public SqliteConnection Connection => connection;

    public void Run(Action act)
    {
        _begin.Run();
        try
        {
            act();
            _commit.Run();
        }
        catch
        {
            Rollback();
            throw;
        }
    }

    public void Dispose()
    {
        _begin.Dispose();
        _commit.Dispose();
        _rollback.Dispose();
    }

    private void Rollback()
    {
        try
        {
            _rollback.Run();
        }
        catch (SqliteException)
        {
            // On some faults, such as a full disk, SQLite has already rolled back.
        }
    }
}
