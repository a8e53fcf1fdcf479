using Microsoft.Data.Sqlite;

namespace TrustixProxy.LogNode.Storage;

/// <summary>Gives the disk back what a log's file has no more use for.</summary>
internal sealed class FreeSpace(SqliteConnection connection) : IDisposable
{
    /// <summary>One in so many pages may be free: the next batches use them.</summary>
    private const int Share = 8;

    private const int PagesAtOnce = 2000;

    private readonly Statement _free = new(connection, "PRAGMA freelist_count"), _all = new(connection, "PRAGMA page_count");
    private readonly Statement _vacuum = new(connection, $"PRAGMA incremental_vacuum({PagesAtOnce})"), _checkpoint = new(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
    private long _checkpointedAt;

    /// <summary>Shrinks the file by a step, if much of it is free, or else moves what is in the write-ahead log into the file; answers whether there may be more to do.</summary>
    public bool GiveBack()
    {
        var all = _all.First(row => row.Number(0));
        if (_free.First(row => row.Number(0)) > Math.Max(PagesAtOnce, all / Share))
        {
            _vacuum.Run();
            return true;
        }

        var changes = SQLitePCL.raw.sqlite3_total_changes(connection.Handle!);
        if (changes != _checkpointedAt)
        {
            _checkpoint.Run();
            _checkpointedAt = changes;
        }

        return false;
    }

    public void Dispose()
    {
        foreach (var statement in new[] { _free, _all, _vacuum, _checkpoint })
        {
            statement.Dispose();
        }
    }
}
