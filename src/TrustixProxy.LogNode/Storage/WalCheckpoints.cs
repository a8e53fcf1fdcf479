using Microsoft.Data.Sqlite;
using TrustixProxy.IO.Storage;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Copies SQLite's write-ahead log into the log's file, on a thread of its own. The writer would wait for each copy.</summary>
/// <remarks>SQLite reuses the write-ahead log once all of it is copied. A writer that never pauses is always ahead of this copy: at twice
/// the size, it copies the little that is left (<c>wal_autocheckpoint</c>).</remarks>
internal sealed class WalCheckpoints : IDisposable
{
    /// <summary>Number of pages in the write-ahead log from which they are copied: 16 MB.</summary>
    private const int CopiedAt = 4000;

    /// <summary>Number of pages that a head changes besides those of its entries, each of which changes about one.</summary>
    private const int PagesOfHead = 10;

    private readonly SqliteConnection _connection;
    private readonly Statement _copy;
    private Task _copying = Task.CompletedTask;
    private int _pages; // written since the last copy began

    /// <param name="connection">A connection to the log's file, owned from now on.</param>
    public WalCheckpoints(SqliteConnection connection) =>
        (_connection, _copy) = (connection, new Statement(connection, "PRAGMA wal_checkpoint(PASSIVE)"));

    /// <summary>Tells that a head over so many entries was written; begins a copy when it is time.</summary>
    public void Wrote(int entries)
    {
        _pages += PagesOfHead + entries;
        if (_pages >= CopiedAt && _copying.IsCompleted)
        {
            _pages = 0;
            _copying = Task.Factory.StartNew(Copy, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
    }

    /// <summary>Waits for the copy that is under way.</summary>
    public void Dispose()
    {
        _copying.GetAwaiter().GetResult();
        _copy.Dispose();
        _connection.Dispose();
    }

    private void Copy()
    {
        try
        {
            _copy.Run();
        }
        catch (SqliteException)
        {
            // Nothing is lost: what was not copied stays in the write-ahead log. A full disk fails the writer's own next write.
        }
    }
}
